"""What a scene tells of its frames."""

from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.scenes import Depth, Frame, Scene, posed, poses_of

CAMERA = Camera.pinhole(width=40, height=30, fx=35)


def frame(name, center):
    pose = None
    if center is not None:
        pose = np.eye(4)
        pose[:3, 3] = center
    return Frame(name, Path(name), CAMERA, pose, Depth(Path("d.png"), CAMERA))


FRAMES = (frame("a", (0, 0, 1)), frame("lost", None), frame("b", (4, -1, 1)))
SCENE = Scene("place", Path("place"), "ace", FRAMES, (frame("query", (1, 1, 1)),), unit="metre")


def test_frames_without_a_pose_are_left_out_and_the_order_stays():
    assert [f.name for f in posed(FRAMES)] == ["a", "b"]
    np.testing.assert_array_equal(poses_of(FRAMES)[:, :3, 3], [(0, 0, 1), (4, -1, 1)])
    assert poses_of([FRAMES[1]]).shape == (0, 4, 4)


def test_the_extent_is_the_longest_side_around_the_mapping_cameras():
    assert SCENE.extent() == 4
    assert Scene("none", Path("none"), "ace", (FRAMES[1],)).extent() == 0


def test_another_unit_changes_positions_and_depths_but_not_directions():
    scaled = SCENE.scaled(100.0)
    assert (scaled.unit, scaled.extent()) == ("unknown", 400)
    assert scaled.queries[0].depth is not None
    assert scaled.queries[0].depth.unit == pytest.approx(0.1)
    np.testing.assert_array_equal(poses_of(scaled.mapping)[:, :3, :3], [np.eye(3)] * 2)
    assert scaled.mapping[1].world_from_cam is None
    assert SCENE.extent() == 4
