"""Reading the real scenes, where they are on the machine."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import inverted, transformed
from reloc.images.files import read_depth
from reloc.scenes import check_mappable, open_scene, read_points


@pytest.mark.parametrize(
    ("name", "layout", "mapping", "queries", "unit", "extent"),
    [
        ("redkitchen", "7scenes", 700, 300, "metre", 1.86),
        ("hololens", "ace", 283, 90, "metre", 8.55),
        ("office", "colmap", 102, 26, "unknown", None),
        ("monument", "colmap", 110, 28, "unknown", None),
        ("fox", "transforms", 40, 10, "unknown", None),
        ("desk_gum", "transforms", 165, 81, "unknown", None),
    ],
)
def test_counts(shared_scenes, name, layout, mapping, queries, unit, extent):
    scene = open_scene(shared_scenes / name)
    assert (scene.name, scene.layout, scene.unit) == (name, layout, unit)
    assert (len(scene.mapping), len(scene.queries), scene.skipped) == (mapping, queries, ())
    if extent:
        assert scene.extent() == pytest.approx(extent, abs=0.02)
    check_mappable(scene)


@pytest.mark.slow
def test_redkitchen_with_sfm_poses(shared_scenes):
    native = open_scene(shared_scenes / "redkitchen")
    scene = open_scene(shared_scenes / "redkitchen", poses=Path("poses_sfm.txt"))
    assert (len(scene.mapping), len(scene.queries), scene.skipped) == (700, 300, ())
    assert scene.mapping[0].camera.params == (525.505, 525.505, 320, 240)
    # Both pose sets describe the same walk; the cameras are a few centimetres apart.
    apart = np.linalg.norm(scene.mapping_centers() - native.mapping_centers(), axis=1)
    assert 0.005 < np.median(apart) < 0.1


@pytest.mark.slow
def test_depth_counts(shared_scenes):
    for name, count in (("redkitchen", 175), ("hololens", 94)):
        scene = open_scene(shared_scenes / name)
        assert sum(f.depth is not None for f in scene.mapping + scene.queries) == count


@pytest.mark.parametrize("name", ["office", "monument"])
def test_points_fall_on_their_observations(shared_scenes, name):
    pycolmap = pytest.importorskip("pycolmap")
    folder = shared_scenes / name / "sparse" / "0"
    truth = pycolmap.Reconstruction(str(folder))
    points = read_points(folder)
    where = {point: at for at, point in enumerate(points.ids.tolist())}
    observed = {f"images/{image.name}": image.points2D for image in truth.images.values()}
    scene = open_scene(shared_scenes / name)
    errors = []
    for frame in scene.mapping + scene.queries:
        seen = [p for p in observed[frame.name] if p.has_point3D()]
        world = points.xyz[[where[p.point3D_id] for p in seen]]
        pixels = frame.camera.project(transformed(inverted(frame.world_from_cam), world))
        errors.append(np.linalg.norm(pixels - np.array([p.xy for p in seen]), axis=1))
    assert np.median(np.concatenate(errors)) < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hololens", "redkitchen"])
def test_depth_of_neighbouring_frames_agrees(shared_scenes, name):
    """Depth moved through both poses into the next frame meets the depth measured there."""
    frames = [frame for frame in open_scene(shared_scenes / name).mapping if frame.depth]
    differences = []
    for a, b in list(pairwise(frames))[:40:8]:
        depth_a, depth_b = (read_depth(f.depth.path) * f.depth.unit for f in (a, b))
        rows, columns = (g.ravel() for g in np.mgrid[4 : len(depth_a) : 16, 4:500:16])
        z = depth_a[rows, columns]
        rays = a.depth.camera.rays(np.stack([columns, rows], axis=1) + 0.5)
        points = np.column_stack([rays, np.ones(len(z))]) * z[:, None]
        moved = transformed(inverted(b.world_from_cam) @ a.world_from_cam, points)
        usable = (z > 0.1) & (z < 10) & (moved[:, 2] > 0.1)
        pixels = np.floor(b.depth.camera.project(moved[usable])).astype(int)
        inside = ((pixels >= 0) & (pixels < depth_b.shape[::-1])).all(axis=1)
        measured = depth_b[pixels[inside, 1], pixels[inside, 0]]
        difference = np.abs(measured - moved[usable][inside, 2])
        differences.append(difference[(measured > 0.1) & (measured < 10)])
    # Inverted poses give 0.3 m and 0.06 m.
    assert np.median(np.concatenate(differences)) < 0.015
