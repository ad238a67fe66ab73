"""Poses around an origin."""

from dataclasses import replace

import numpy as np

from reloc.geometry import Camera, inverted
from reloc.mapping.poses import centered_cam_from_world


def test_poses_keep_their_digits_far_from_the_origin(frame_of):
    far = np.array([4.5e6, -3.2e6, 7.7e5])
    frame = frame_of(Camera.pinhole(width=96, height=64, fx=80))
    pose = frame.world_from_cam.copy()
    pose[:3, 3] += far
    before = pose.copy()
    cam_from_world = centered_cam_from_world([replace(frame, world_from_cam=pose)], far)
    expected = inverted(frame.world_from_cam)[:3]
    np.testing.assert_allclose(cam_from_world[0].numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(pose, before)
