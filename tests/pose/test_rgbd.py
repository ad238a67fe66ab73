"""Poses from scene coordinates and measured depth."""

import numpy as np
import pytest

from reloc.geometry import inverted, look_at, pose_error, transformed
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.rgbd import solve_pose_with_depth
from reloc.pose.solver import SolverOptions, solve_pose

FOCAL = 500.0
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))


def cells(points, rays, depths=None):
    return Correspondences.of_kind(Kind.CELL, points, rays, FOCAL, depths=depths)


def problem(*, seed=0, along=0.0, across=1.0, wrong=0.3, cells=600, view=0.5):
    """Points predicted with errors along their rays (share) and across (pixels), and true depth."""
    rng = np.random.default_rng(seed)
    rays = rng.uniform(-view, view, (cells, 2))
    depths = rng.uniform(2, 5, cells)
    predicted = rays + rng.normal(0, across / 500, rays.shape)
    stretch = depths * (1 + rng.normal(0, 1, cells) * along)
    points = np.c_[predicted, np.ones(cells)] * stretch[:, None]
    outliers = rng.random(cells) < wrong
    points[outliers] += rng.normal(0, 1, (outliers.sum(), 3))
    return transformed(POSE, points), rays, depths


def test_depth_makes_poses_better_where_the_view_is_narrow():
    errors = []
    for seed in range(12):
        points, rays, depths = problem(seed=seed, across=4.0, along=0.03, view=0.1)
        options = SolverOptions()
        plain = solve_pose(cells(points, rays), options=options)
        better = solve_pose_with_depth(cells(points, rays, depths), options=options)
        errors.append([pose_error(s.world_from_cam, POSE)[0] for s in (plain, better)])
    rgb, rgbd = np.median(errors, axis=0)
    assert rgbd < 0.8 * rgb


def test_holes_and_wrong_depth_do_little_harm():
    points, rays, depths = problem()
    rng = np.random.default_rng(1)
    depths[rng.random(len(depths)) < 0.4] = np.nan
    wrong = rng.random(len(depths)) < 0.3
    depths[wrong] *= rng.uniform(0.3, 3, wrong.sum())
    found = solve_pose_with_depth(cells(points, rays, depths), options=SolverOptions())
    translation, rotation = pose_error(found.world_from_cam, POSE)
    assert translation < 0.01
    assert rotation < 0.1
    assert 0.6 < found.inliers.mean() < 0.9


def test_without_measurements_it_is_the_pose_of_the_image():
    points, rays, depths = problem()
    plain = solve_pose(cells(points, rays), options=SolverOptions())
    found = solve_pose_with_depth(cells(points, rays, depths * np.nan), options=SolverOptions())
    np.testing.assert_array_equal(found.world_from_cam, plain.world_from_cam)


def test_measured_points_give_a_pose_where_the_image_gives_none(monkeypatch):
    points, rays, depths = problem(along=0.001)
    monkeypatch.setattr("reloc.pose.rgbd.solve_pose", lambda *_, **__: None)
    found = solve_pose_with_depth(cells(points, rays, depths), options=SolverOptions())
    translation, rotation = pose_error(found.world_from_cam, POSE)
    assert translation < 0.02
    assert rotation < 0.2


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_unit_of_length_does_not_matter(unit):
    points, rays, depths = problem()
    one = solve_pose_with_depth(cells(points, rays, depths), options=SolverOptions())
    other = solve_pose_with_depth(
        cells(points * unit, rays, depths * unit), options=SolverOptions()
    )
    expected = one.world_from_cam.copy()
    expected[:3, 3] *= unit
    np.testing.assert_allclose(other.world_from_cam, expected, atol=1e-4 * max(1, unit))


def test_nothing_to_go_by_is_no_pose():
    nothing = cells(np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0))
    assert solve_pose_with_depth(nothing, options=SolverOptions()) is None
    points, rays, depths = problem()
    same = np.ones_like(points)
    found = solve_pose_with_depth(cells(same, rays, depths), options=SolverOptions())
    assert found is None or np.isfinite(found.world_from_cam).all()


def test_errors_are_those_of_its_pose():
    points, rays, depths = problem()
    found = solve_pose_with_depth(cells(points, rays, depths), options=SolverOptions())
    seen = transformed(inverted(found.world_from_cam), points)
    errors = np.linalg.norm(seen[:, :2] / seen[:, 2:] - rays, axis=1) * FOCAL
    np.testing.assert_allclose(found.errors[seen[:, 2] > 0], errors[seen[:, 2] > 0])
