"""The map's own points, coloured by its mapping images."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, look_at, transformed
from reloc.images.augment import cell_pixels
from reloc.pose.correspondences import Correspondences, Kind
from reloc.reconstruct.point_cloud import PointCloud, map_point_cloud, thinned
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=160, height=120, fx=140)
POSE = look_at((1, -4, 0.5), (0, 0, 0))
RED = (200, 10, 20)


class Place:
    """A localizer that sees the plane z = 3 before the camera, moved sideways by some pixels."""

    extractor = SimpleNamespace(stride=8)

    def __init__(self, error_px: float = 0.0):
        self.error_px = error_px

    def correspondences(self, image, camera):
        pixels = cell_pixels(camera.height, camera.width, stride=8)
        rays = camera.rays(pixels)
        points = np.c_[rays, np.ones(len(rays))] * 3
        points[:, 0] += self.error_px * 3 / camera.focal
        return Correspondences.of_kind(
            Kind.CELL, transformed(POSE, points), rays, camera.focal, pixels=pixels
        )


def place(error_px: float = 0.0) -> Any:
    return Place(error_px)


@pytest.fixture
def frame(tmp_path):
    image = np.full((120, 160, 3), RED, np.uint8)
    assert cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    return Frame("a.png", tmp_path / "a.png", CAMERA, POSE)


def test_points_lie_where_the_map_says_and_have_the_colors_of_the_photo(frame):
    cloud = map_point_cloud(place(), [frame])
    assert len(cloud) > 1000
    np.testing.assert_allclose(transformed(np.linalg.inv(POSE), cloud.points)[:, 2], 3, rtol=1e-5)
    assert (cloud.colors == RED).all()
    assert cloud.colors.dtype == np.uint8
    np.testing.assert_allclose(cloud.normals, np.tile(-POSE[:3, 2], (len(cloud), 1)), atol=1e-4)


def test_points_that_reproject_badly_are_left_out(frame):
    assert len(map_point_cloud(place(14), [frame])) == 0
    assert len(map_point_cloud(place(14), [frame], max_error=15)) > 1000


def test_views_are_spread_evenly_and_told(frame):
    told = []
    frames = [replace(frame, name=str(n)) for n in range(10)]
    map_point_cloud(
        place(),
        frames,
        views=3,
        progress=lambda stage, done, total, **_: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_frames_that_cannot_be_used_are_left_out(frame, tmp_path):
    frames = [
        replace(frame, name="nowhere", world_from_cam=None),
        replace(frame, name="gone", image=Path(tmp_path / "gone.png")),
        frame,
    ]
    assert len(map_point_cloud(place(), frames)) == len(map_point_cloud(place(), [frame]))


def test_nothing_to_see_is_an_empty_cloud():
    cloud = map_point_cloud(place(), [])
    assert (cloud.points.shape, cloud.colors.shape) == ((0, 3), (0, 3))
    assert cloud.normals.shape == (0, 3)


def test_a_cloud_is_thinned_to_what_was_asked_for(frame):
    cloud = map_point_cloud(place(), [frame], max_points=300)
    assert 100 < len(cloud) <= 300


def test_thinning_keeps_the_finest_point_and_blends_colors():
    points = np.array([[0.1, 0.1, 0.1], [0.2, 0.1, 0.1], [5.0, 5.0, 5.0]])
    colors = np.array([[100, 0, 0], [200, 0, 0], [7, 7, 7]], np.uint8)
    normals = np.eye(3, dtype=np.float32)
    cloud = thinned(PointCloud(points, colors, normals), np.array([1.1, 1.0, 1.0]), most=2)
    order = np.argsort(cloud.points[:, 0])
    np.testing.assert_array_equal(cloud.points[order], points[1:])
    expected = (100 / 1.21 + 200) / (1 / 1.21 + 1)
    np.testing.assert_array_equal(cloud.colors[order], [[round(expected), 0, 0], [7, 7, 7]])
    np.testing.assert_array_equal(cloud.normals[order], normals[1:])
