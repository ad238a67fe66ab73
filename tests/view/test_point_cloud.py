"""The map's own points, coloured by its mapping images."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, look_at, transformed
from reloc.localize.localizer import Correspondences
from reloc.scenes.scene import Frame
from reloc.view.point_cloud import map_point_cloud

CAMERA = Camera.pinhole(width=64, height=48, fx=60)
FOCAL = 120.0  # of the resampled image: errors are counted in its pixels
POSE = look_at((1, -4, 0.5), (0, 0, 0))


class Place:
    """A localizer that sees the plane z = 3 before the camera, shifted sideways for some cells."""

    def __init__(self, shifts):
        self.shifts = shifts
        self.seen = []

    def correspondences(self, image, camera):
        self.seen.append(image.copy())
        pixels = np.array([[4.0, 4.0], [36.0, 20.0], [64.0, 48.0]])
        rays = camera.rays(pixels)
        points = np.c_[rays, np.ones(3)] * 3
        points[:, 0] += np.array(self.shifts) * 3 / FOCAL
        return Correspondences(transformed(POSE, points), rays, pixels, FOCAL)


@pytest.fixture
def frame(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[4, 4], image[20, 36], image[47, 63] = (3, 2, 1), (6, 5, 4), (9, 8, 7)
    assert cv2.imwrite(str(tmp_path / "a.png"), image)
    return Frame("a.png", tmp_path / "a.png", CAMERA, POSE)


def test_points_have_the_colours_of_their_pixels(frame):
    """Also at the far corner of the image, where a pixel's index would be past the end."""
    cloud = map_point_cloud(Place([0, 0, 0]), [frame])
    assert cloud.points.shape == (3, 3)
    expected = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    np.testing.assert_array_equal(cloud.colours, expected)
    assert cloud.colours.dtype == np.uint8


def test_points_that_reproject_badly_are_left_out(frame):
    cloud = map_point_cloud(Place([5, 7, 0]), [frame])
    np.testing.assert_array_equal(cloud.colours, [[1, 2, 3], [7, 8, 9]])
    assert len(map_point_cloud(Place([5, 7, 0]), [frame], max_error=4).points) == 1
    assert len(map_point_cloud(Place([5, 7, 0]), [frame], max_error=8).points) == 3


def test_views_are_spread_evenly_and_told(frame):
    place, told = Place([0, 0, 0]), []
    frames = [replace(frame, name=str(n)) for n in range(10)]
    cloud = map_point_cloud(
        place, frames, views=3, progress=lambda stage, done, total: told.append((done, total))
    )
    assert len(cloud.points) == 9
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_frames_that_cannot_be_used_are_left_out(frame, tmp_path):
    frames = [
        replace(frame, name="nowhere", world_from_cam=None),
        replace(frame, name="gone", image=Path(tmp_path / "gone.png")),
        frame,
    ]
    assert len(map_point_cloud(Place([0, 0, 0]), frames).points) == 3


def test_nothing_to_see_is_an_empty_cloud():
    cloud = map_point_cloud(Place([0, 0, 0]), [])
    assert (cloud.points.shape, cloud.colours.shape) == ((0, 3), (0, 3))
