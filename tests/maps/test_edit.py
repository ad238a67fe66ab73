"""Regions that are added, replaced and dropped, and the cameras that go with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.errors import MapError, OptionError
from reloc.geometry import Camera, look_at
from reloc.heads import MlpHead
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.maps.edit import with_added, with_replaced, without

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


def made(first, last, *, regions=1, **changes):
    """A map of the frames first to last of a walk, with an untrained head for each part."""
    numbers = np.arange(first, last)
    parts = np.array_split(np.arange(len(numbers)), regions)
    torch.manual_seed(first)
    scene_map = SceneMap(
        regions=tuple(
            Region(
                MlpHead(channels=4, width=4, blocks=0),
                np.full(3, float(numbers[part].mean())),
                None if regions == 1 else tuple(part.tolist()),
            )
            for part in parts
        ),
        backbone="toy",
        short_side=480,
        extent=float(last - 1 - first),
        unit="metre",
        cameras=tuple(
            MappingCamera(f"{n}.jpg", look_at((float(n), 0, 0), (n, 5, 0)), CAMERA) for n in numbers
        ),
    )
    return replace(scene_map, **changes)


def names(scene_map):
    return [[scene_map.cameras[row].name for row in r.frames] for r in scene_map.regions]


def numbered(first, last):
    return [f"{n}.jpg" for n in range(first, last)]


def test_added_regions_keep_their_frames_and_shared_ones_are_one():
    both = with_added(made(0, 6), made(4, 12, regions=2))
    assert names(both) == [numbered(0, 6), numbered(4, 8), numbered(8, 12)]
    assert len(both.cameras) == 12
    assert both.extent == 11
    assert [r.origin[0] for r in both.regions] == [2.5, 5.5, 9.5]


def test_frames_of_one_name_from_elsewhere_are_two():
    there = made(0, 3)
    moved = [replace(c, world_from_cam=c.world_from_cam + 1) for c in there.cameras]
    both = with_added(made(0, 3), replace(there, cameras=tuple(moved)))
    assert len(both.cameras) == 6


def test_dropped_regions_take_their_own_cameras_along():
    three = made(0, 12, regions=3)
    left = without(three, [1])
    assert names(left) == [numbered(0, 4), numbered(8, 12)]
    assert [r.head for r in left.regions] == [three.regions[0].head, three.regions[2].head]
    assert len(left.cameras) == 8
    assert without(three, [0, 1]).extent == 3


def test_a_replaced_region_stands_where_the_old_one_stood():
    three, new = made(0, 12, regions=3), made(4, 9)
    after = with_replaced(three, 1, new)
    assert [r.head for r in after.regions] == [
        three.regions[0].head, new.head, three.regions[2].head,
    ]  # fmt: skip
    assert names(after) == [numbered(0, 4), numbered(4, 9), numbered(8, 12)]


def test_an_edited_map_survives_its_file(tmp_path):
    both = with_added(made(0, 6), made(4, 12, regions=2))
    both.save(tmp_path / "map")
    assert names(SceneMap.load(tmp_path / "map")) == names(both)


@pytest.mark.parametrize(
    "change", [{"backbone": "other"}, {"short_side": 240}, {"unit": "unknown"}]
)
def test_maps_that_cannot_be_one_are_refused(change):
    with pytest.raises(MapError, match="cannot be one"):
        with_added(made(0, 6), made(6, 12, **change))


def test_heads_that_are_not_there_and_the_last_one_cannot_be_dropped():
    with pytest.raises(OptionError, match="no head 3"):
        without(made(0, 6, regions=3), [3])
    with pytest.raises(OptionError, match="no head -1"):
        with_replaced(made(0, 6), -1, made(0, 6))
    with pytest.raises(OptionError, match="needs a head"):
        without(made(0, 6), [0])
