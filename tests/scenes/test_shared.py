"""Reading the real scenes, where they are on the machine."""

from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import inverted, transformed
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


def test_redkitchen_with_sfm_poses(shared_scenes):
    native = open_scene(shared_scenes / "redkitchen")
    scene = open_scene(shared_scenes / "redkitchen", poses=Path("poses_sfm.txt"))
    assert (len(scene.mapping), len(scene.queries), scene.skipped) == (700, 300, ())
    assert scene.mapping[0].camera.params == (525.505, 525.505, 320, 240)
    # Both pose sets describe the same walk; the cameras are a few centimetres apart.
    apart = np.linalg.norm(scene.mapping_centres() - native.mapping_centres(), axis=1)
    assert 0.005 < np.median(apart) < 0.1


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
