"""Which images see which points."""

import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.scenes.scene import Frame
from reloc.view.point_cloud import PointCloud
from reloc.view.sightings import sightings

CAMERA = Camera("SIMPLE_RADIAL", 96, 72, (80.0, 48.0, 36.0, 0.05))


def wall(y: float, side: int, count: int = 3000) -> PointCloud:
    """A wall at y that faces -y or +y."""
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-2, 2, count), np.full(count, y), rng.uniform(-1, 1, count)]
    normals = np.tile(np.float32([0, side, 0]), (count, 1))
    return PointCloud(points, np.zeros((count, 3), np.uint8), normals)


def both(a: PointCloud, b: PointCloud) -> PointCloud:
    parts = zip((a.points, a.colours, a.normals), (b.points, b.colours, b.normals), strict=True)
    return PointCloud(*(np.concatenate(pair) for pair in parts))


@pytest.fixture
def frames(tmp_path):
    eyes = [(0, -4, 0), (0.5, -4, 0.1), (0, 4, 0)]
    return [
        Frame(f"{n}.png", tmp_path / f"{n}.png", CAMERA, look_at(eye, (0, 0, 0)))
        for n, eye in enumerate(eyes)
    ]


def test_sightings_are_where_the_camera_projects(frames):
    cloud = wall(0.0, -1)
    for frame, seen in zip(frames[:2], sightings(cloud, frames[:2]), strict=True):
        assert len(seen.points) > 1000
        assert len(np.unique(seen.points)) == len(seen.points)
        in_camera = transformed(inverted(frame.world_from_cam), cloud.points[seen.points])
        np.testing.assert_allclose(CAMERA.project(in_camera), seen.pixels, atol=1e-9)


def test_a_wall_is_seen_from_its_front_only(frames):
    front, _, back = sightings(wall(0.0, -1), frames)
    assert len(front.points) > 1000
    assert len(back.points) == 0


def test_what_stands_behind_is_hidden(frames):
    seen = sightings(both(wall(0.0, -1), wall(1.5, -1)), frames[:1])[0].points
    assert (seen < 3000).sum() > 1000
    assert (seen >= 3000).mean() < 0.1


def test_few_sightings_are_of_the_same_points(frames):
    a, b, _ = sightings(wall(0.0, -1), frames, most=100)
    assert len(a.points) == len(b.points) == 100
    assert len(np.intersect1d(a.points, b.points)) > 60


def test_an_empty_cloud_is_no_error(frames):
    assert [len(s.points) for s in sightings(wall(0.0, -1, count=0), frames)] == [0, 0, 0]
