"""Maps side by side."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import Camera, look_at
from reloc.heads.mlp import new_head
from reloc.maps import SceneMap
from reloc.maps.scene_map import MappingCamera, PreviewPoints, Region
from reloc.view.gallery import gallery_exhibit

from ..maps.test_landmark_tensors import made_landmarks

CAMERA = Camera.pinhole(width=64, height=48, fx=60)


@pytest.fixture(scope="module")
def scene_map():
    """A map whose frame has x upwards."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, 3)) + (50, 0, 0)
    poses = [
        look_at((50.2, 3 * np.cos(a), 3 * np.sin(a)), (50, 0, 0), up=(1, 0, 0))
        for a in np.arange(8) * np.pi / 4
    ]
    return SceneMap(
        regions=(Region(new_head(channels=8, width=8, blocks=0, scale=1.0, seed=0), np.zeros(3)),),
        backbone="b",
        short_side=480,
        extent=6.0,
        unit="metre",
        cameras=tuple(MappingCamera(f"{n}.jpg", p, CAMERA) for n, p in enumerate(poses)),
        preview=PreviewPoints(points, np.full((500, 3), 90, np.uint8)),
    )


def parts(shown, count):
    return np.split(shown.cloud.points, count)


def test_maps_stand_apart_on_one_floor_and_upright(scene_map):
    shown = gallery_exhibit("maps", [(name, scene_map) for name in "abc"])
    assert (shown.title, shown.unit) == ("maps", "metre")
    boxes = [(p.min(axis=0), p.max(axis=0)) for p in parts(shown, 3)]
    np.testing.assert_allclose([low[2] for low, _ in boxes], boxes[0][0][2])
    assert boxes[0][1][0] < boxes[1][0][0]
    assert boxes[2][1][1] < boxes[0][0][1]
    # In their true size.
    np.testing.assert_allclose([high - low for low, high in boxes], 2, atol=0.1)
    assert [f.name for f in shown.frames][::8] == ["a/0.jpg", "b/0.jpg", "c/0.jpg"]
    for frame in shown.frames:
        assert -frame.world_from_cam[2, 1] > 0.9
    for label, (low, high) in zip(shown.labels, boxes, strict=True):
        assert (label.at[:2] > low[:2]).all() and (label.at[:2] < high[:2]).all()
        assert label.at[2] > high[2] - 0.2


def test_landmarks_stay_in_their_map(scene_map):
    points = scene_map.preview.points
    known = made_landmarks(20)
    known = replace(known, points=points[:20])
    maps = [("a", scene_map), ("b", replace(scene_map, landmarks=known))]
    shown = gallery_exhibit("maps", maps)
    np.testing.assert_allclose(shown.landmarks, parts(shown, 2)[1][:20])


def test_maps_without_a_unit_are_of_one_size(scene_map):
    large = replace(
        scene_map,
        unit="unknown",
        preview=PreviewPoints(scene_map.preview.points * 9, scene_map.preview.colors),
        cameras=tuple(
            replace(c, world_from_cam=_moved(c.world_from_cam)) for c in scene_map.cameras
        ),
    )
    shown = gallery_exhibit("maps", [("small", scene_map), ("large", large)])
    assert shown.unit == "unknown"
    small, other = (np.ptp(p, axis=0) for p in parts(shown, 2))
    np.testing.assert_allclose(small, other, rtol=1e-6)


def _moved(pose):
    pose = pose.copy()
    pose[:3, 3] *= 9
    return pose


def test_a_map_without_a_sketch_shows_its_cameras(scene_map):
    shown = gallery_exhibit("maps", [("a", replace(scene_map, preview=None))])
    assert len(shown.cloud) == 0
    assert len(shown.frames) == 8
