"""Which images see which points."""

import numpy as np
import pytest
from PIL import Image

from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.reconstruct.point_cloud import PointCloud
from reloc.scenes.scene import Frame
from reloc.scenes.writers.colmap_binary import write_binary_model
from reloc.view import sightings
from reloc.view.sightings import tracked

CAMERA = Camera("SIMPLE_RADIAL", 96, 72, (80.0, 48.0, 36.0, 0.05))


def wall(y: float, side: int, count: int = 3000) -> PointCloud:
    """A wall at y that faces -y or +y."""
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-2, 2, count), np.full(count, y), rng.uniform(-1, 1, count)]
    normals = np.tile(np.array([0, side, 0], np.float32), (count, 1))
    return PointCloud(points, np.zeros((count, 3), np.uint8), normals)


def both(a: PointCloud, b: PointCloud) -> PointCloud:
    return PointCloud(
        np.concatenate([a.points, b.points]),
        np.concatenate([a.colors, b.colors]),
        np.concatenate([a.normals, b.normals]),
    )


@pytest.fixture
def frames(tmp_path):
    eyes = [(0, -4, 0), (0.5, -4, 0.1), (0, 4, 0)]
    return [
        Frame(f"{n}.png", tmp_path / f"{n}.png", CAMERA, look_at(eye, (0, 0, 0)))
        for n, eye in enumerate(eyes)
    ]


def test_sightings_are_where_the_camera_projects(frames):
    points = tracked(wall(0.0, -1), frames)
    assert len(points) > 1000
    for frame in frames[:2]:
        seen = points.seen_by(frame)
        assert len(np.unique(seen.points)) == len(seen.points) > 1000
        in_camera = transformed(inverted(frame.world_from_cam), points.xyz[seen.points])
        np.testing.assert_allclose(CAMERA.project(in_camera), seen.pixels, atol=1e-9)
    assert points.errors(frames).max() < 1e-9


def test_a_wall_is_seen_from_its_front_only(frames):
    assert len(tracked(wall(0.0, -1), frames)) > 1000
    assert len(tracked(wall(0.0, 1), frames)) == 0  # one camera alone sees its front


def test_what_stands_behind_is_hidden(frames):
    points = tracked(both(wall(0.0, -1), wall(1.5, -1)), frames).xyz
    assert (points[:, 1] == 0).sum() > 1000
    assert (points[:, 1] > 0).mean() < 0.1


def test_every_point_has_a_track_and_some_have_long_ones(frames, monkeypatch):
    monkeypatch.setattr(sightings, "LONG", 100)
    monkeypatch.setattr(sightings, "SHORT", 3)
    around = [
        Frame(f"{n}.png", frames[0].image, CAMERA, look_at((0.1 * n, -4 - 0.1 * n, 0), (0, 0, 0)))
        for n in range(8)
    ]
    cloud = wall(0.0, -1)
    points = tracked(cloud, around)
    counts = np.bincount(np.concatenate([points.seen_by(f).points for f in around]))
    assert counts.min() >= 2
    assert 60 < (counts == 8).sum() < 200
    assert (counts <= 4).sum() > 1500
    # The nearest frames are the ones that count.
    nearest = len(points.seen_by(around[0]).points)
    assert nearest > 3 * len(points.seen_by(around[7]).points)


def test_an_empty_cloud_is_no_error(frames):
    assert len(tracked(wall(0.0, -1, count=0), frames)) == 0


def test_bundle_adjustment_runs_on_them_and_leaves_cameras_alone(tmp_path, colmap_model):
    import pycolmap

    (tmp_path / "images").mkdir()
    frames = []
    for n in range(5):
        pose = look_at((0.6 * n - 1, -4, 0.1 * n), (0.05 * n, 0, 0))
        frames.append(Frame(f"{n}.png", tmp_path / "images" / f"{n}.png", CAMERA, pose))
        Image.new("RGB", (CAMERA.width, CAMERA.height)).save(frames[-1].image)
    # A little relief, for a plane leaves the focal length open.
    cloud = wall(0.0, -1, count=400)
    cloud.points[:, 1] = np.random.default_rng(1).uniform(-0.2, 0.2, 400)
    points = tracked(cloud, frames)
    names = {frame.name: frame.name for frame in frames}
    write_binary_model(tmp_path / "sparse" / "0", frames, names, points)
    model = colmap_model(tmp_path)
    options = pycolmap.BundleAdjustmentOptions(print_summary=False)
    pycolmap.bundle_adjustment(model, options)
    images = sorted(model.images.values(), key=lambda image: image.name)
    for image, frame in zip(images, frames, strict=True):
        center = frame.world_from_cam[:3, 3]
        np.testing.assert_allclose(image.projection_center(), center, atol=1e-4)
    # Points that were moved go back to where the tracks agree.
    rng = np.random.default_rng(0)
    for point in model.points3D.values():
        point.xyz = point.xyz + rng.normal(0, 0.02, 3)
    model.update_point_3d_errors()
    assert model.compute_mean_reprojection_error() > 0.1
    pycolmap.bundle_adjustment(model, options)
    model.update_point_3d_errors()
    assert model.compute_mean_reprojection_error() < 0.01
