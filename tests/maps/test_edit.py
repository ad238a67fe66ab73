"""Regions that are added, replaced and dropped, and the cameras that go with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.errors import MapError, OptionError
from reloc.geometry import Camera, look_at, pose_from, rotation_from_vector
from reloc.heads import MlpHead
from reloc.landmarks import DescriptorBasis, Landmarks
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.maps.edit import with_added, with_replaced, without
from reloc.maps.frames import frame_note

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


def elsewhere(scene_map, frame):
    """The map in another world frame."""
    cameras = [replace(c, world_from_cam=frame @ c.world_from_cam) for c in scene_map.cameras]
    return replace(scene_map, cameras=tuple(cameras))


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pose_from(np.eye(3), (0, 0.3, 0)), "0.3 m (2.73 % of the extent) and 0 degrees"),
        (pose_from(rotation_from_vector([0, 0, 0.1]), (0, 0, 0)), "5.73 degrees"),
    ],
)
def test_maps_in_two_frames_are_refused_with_how_far_they_are_apart(frame, words, replaced):
    moved = elsewhere(made(4, 16), frame)
    with pytest.raises(MapError, match="in two frames: 6 images") as caught:
        with_replaced(made(0, 10), 0, moved) if replaced else with_added(made(0, 10), moved)
    assert words in str(caught.value)
    assert "in one frame" in str(caught.value)


def test_small_differences_and_one_stray_image_are_no_other_frame():
    near = elsewhere(made(4, 16), pose_from(rotation_from_vector([0, 0, 0.005]), (0, 0.02, 0)))
    stray = replace(near.cameras[0], world_from_cam=np.eye(4))
    near = replace(near, cameras=(stray, *near.cameras[1:]))
    assert frame_note(made(0, 10), near) is None
    assert len(with_added(made(0, 10), near).regions) == 2


def test_frames_far_from_the_origin_are_as_exact_as_the_file_keeps_them():
    far = pose_from(np.eye(3), (4.5e6, -3.2e6, 100))
    a = elsewhere(made(0, 10), far)
    b = elsewhere(a, pose_from(np.eye(3), (0.25, 0, 0)))
    assert frame_note(a, replace(b, extent=9.0)) is None


def test_without_common_images_the_frame_cannot_be_checked():
    assert "could not be checked" in frame_note(made(0, 6), made(6, 12))
    other = replace(CAMERA, params=(60, 60, 32, 24))
    cameras = tuple(replace(c, camera=other) for c in made(0, 6).cameras)
    assert "could not be checked" in frame_note(made(0, 6), made(0, 6, cameras=cameras))


def test_maps_in_two_worlds_are_refused_without_common_images():
    far = elsewhere(made(6, 12), pose_from(np.eye(3), (4.5e6, -3.2e6, 100)))
    with pytest.raises(MapError, match="m apart, so they are not in one frame"):
        with_added(made(0, 6), far)


def test_images_that_share_names_only_are_two():
    rng = np.random.default_rng(0)
    there = made(0, 6)
    cameras = [
        replace(c, world_from_cam=pose_from(rotation_from_vector(rng.normal(size=3)), (n, 3, 1)))
        for n, c in enumerate(there.cameras)
    ]
    both = with_added(made(0, 6), replace(there, cameras=tuple(cameras)))
    assert len(both.cameras) == 12
    assert "share names only" in frame_note(made(0, 6), replace(there, cameras=tuple(cameras)))


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


def landmarks_at(*points):
    """Landmarks that are seen from before them, along the axis of y."""
    count = len(points)
    one, basis = np.ones(count, np.float32), DescriptorBasis.of(np.eye(128, dtype=np.float32))
    directions = np.tile(np.array([0, -1, 0], np.float32), (count, 1))
    codes = basis.codes(np.eye(128, dtype=np.float32)[:count])
    return Landmarks(np.array(points, float), one, directions, one, one, codes, basis)


def test_landmarks_go_with_the_regions_that_see_them():
    left = made(0, 6, landmarks=landmarks_at((1, 5, 0)))
    right = made(50, 56, landmarks=landmarks_at((53, 5, 0), (54, 5, 0)))
    both = with_added(left, right)
    assert both.landmarks.points[:, 0].tolist() == [1, 53, 54]
    assert without(both, [0]).landmarks.points[:, 0].tolist() == [53, 54]
    assert without(both, [1]).landmarks.points[:, 0].tolist() == [1]
    assert with_added(left, made(50, 56)).landmarks.points[:, 0].tolist() == [1]
    assert without(with_added(made(0, 6), right), [1]).landmarks is None
