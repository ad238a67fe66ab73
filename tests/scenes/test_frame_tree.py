"""Poses of frames by way of those that they are fixed to."""

import numpy as np
import pytest

from reloc.geometry import look_at, pose_from, quaternion_from_rotation
from reloc.scenes.frame_tree import FrameTree
from reloc.scenes.trajectory import Trajectory

MAP_FROM_ODOM = look_at((1, 2, 3), (0, 0, 0))
BASE_FROM_CAMERA = look_at((0.1, 0, 0.3), (5, 1, 0))


def odom_from_base(time):
    return look_at((time, 1, 0), (time + 3, 2, 0.5))


def tree():
    times = np.arange(0, 2, 0.05)
    rows = [
        (t, odom_from_base(t)[:3, 3], quaternion_from_rotation(odom_from_base(t)[:3, :3]))
        for t in times
    ]
    return FrameTree(
        {"odom": ("map", MAP_FROM_ODOM), "camera": ("base", BASE_FROM_CAMERA)},
        {"base": ("odom", Trajectory(rows))},
    )


@pytest.mark.parametrize("time", [0.5, 0.512, 1.9])
def test_chain_of_fixed_and_moving_frames(time):
    (pose, fault), top = tree().pose("camera", time)
    expected = MAP_FROM_ODOM @ odom_from_base(time) @ BASE_FROM_CAMERA
    np.testing.assert_allclose(pose, expected, atol=1e-9)
    assert (fault, top) == (None, "map")


def test_frames_without_motion_or_at_another_time():
    (pose, fault), _ = tree().pose("lidar", 0.5)
    assert pose is None and "from lidar to a frame that moves" in fault
    (pose, fault), _ = tree().pose("camera", 7.0)
    assert pose is None and fault == "odom has no base at its time"


def test_circles_end():
    circle = FrameTree({"a": ("b", pose_from(np.eye(3), (0, 0, 1))), "b": ("a", np.eye(4))}, {})
    assert circle.pose("a", 0.0)[0][0] is None


def test_the_world_is_that_of_most():
    assert tree().world([("camera", 0.5), ("base", 0.6), ("lidar", 0.5)]) == "map"
    assert tree().world([("lidar", 0.5)]) is None
