"""Poses from scene coordinates: exact where the data is, and an end where it is not."""

import numpy as np
import poselib
import pytest

from reloc.geometry import (
    inverted,
    look_at,
    pose_error,
    pose_from,
    pose_problem,
    rotation_from_quaternion,
    transformed,
)
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.solver import SolverOptions, agreement, refine_pose, solve_pose

FOCAL = 500.0


def cells(points, rays, focal=FOCAL):
    return Correspondences.of_kind(Kind.CELL, points, rays, focal)


def correspondences(*, count=600, outliers=0.0, noise=0.0, scale=1.0, seed=0):
    """Scene coordinates, rays, pose and which rows are inliers."""
    rng = np.random.default_rng(seed)
    pose = pose_from(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3) * 2)
    rays = rng.uniform((-0.6, -0.45), (0.6, 0.45), (count, 2))
    cam = np.c_[rays, np.ones(count)] * rng.uniform(1, 6, (count, 1))
    points = transformed(pose, cam)
    good = rng.random(count) >= outliers
    points[~good] = pose[:3, 3] + rng.uniform(-5, 5, ((~good).sum(), 3))
    rays = rays + rng.normal(0, noise / FOCAL, rays.shape)
    points, pose = points * scale, pose.copy()
    pose[:3, 3] *= scale
    return points, rays, pose, good


@pytest.mark.parametrize("outliers", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_exact_points_give_the_exact_pose(outliers, seed):
    points, rays, pose, good = correspondences(outliers=outliers, seed=seed)
    solution = solve_pose(cells(points, rays), options=SolverOptions())
    translation, rotation = pose_error(solution.world_from_cam, pose)
    assert translation < 1e-5
    assert rotation < 1e-4
    assert pose_problem(solution.world_from_cam) is None
    assert solution.inliers[good].all()
    assert solution.inliers[~good].sum() < 0.05 * len(points)


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
def test_the_unit_of_length_does_not_matter(scale):
    points, rays, pose, _ = correspondences(outliers=0.6, noise=1.0, scale=scale, seed=3)
    solution = solve_pose(cells(points, rays), options=SolverOptions())
    translation, rotation = pose_error(solution.world_from_cam, pose)
    assert translation < 0.02 * scale
    assert rotation < 0.2


@pytest.mark.parametrize("focal", [250.0, 2000.0])
def test_the_threshold_is_in_pixels(focal):
    """The same rays seen by a longer lens have larger errors in pixels."""
    points, rays, _, _ = correspondences(noise=4.0)  # 4 px at FOCAL
    solution = solve_pose(cells(points, rays, focal), options=SolverOptions(threshold=10.0))
    share = solution.inliers.mean()
    assert share > 0.99 if focal < FOCAL else share < 0.4


def test_points_behind_the_camera_are_no_inliers():
    points, rays, pose, _ = correspondences()
    mirrored = points.copy()
    behind = np.arange(len(points)) < 250
    # On the same viewing lines, but behind: they reproject perfectly.
    mirrored[behind] = 2 * pose[:3, 3] - points[behind]
    solution = solve_pose(cells(mirrored, rays), options=SolverOptions())
    assert pose_error(solution.world_from_cam, pose)[0] < 1e-5
    assert not solution.inliers[behind].any()
    assert np.isinf(solution.errors[behind]).all()
    assert solution.inliers[~behind].all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_points_give_no_pose(count):
    points, rays, _, _ = correspondences()
    assert solve_pose(cells(points[:count], rays[:count]), options=SolverOptions()) is None


@pytest.mark.parametrize("seed", range(3))
def test_pure_noise_ends_without_many_inliers(seed):
    rng = np.random.default_rng(seed)
    points, rays = rng.uniform(-5, 5, (4800, 3)), rng.uniform(-0.6, 0.6, (4800, 2))
    solution = solve_pose(cells(points, rays), options=SolverOptions())
    assert solution is None or solution.inliers.mean() < 0.05


@pytest.mark.parametrize(
    "points",
    [np.zeros((100, 3)), np.tile([1.0, 2, 3], (100, 1)), np.outer(np.arange(100), [1.0, 2, 3])],
    ids=["zero", "one point", "a line"],
)
def test_degenerate_points_do_not_crash(points):
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 2))
    solution = solve_pose(cells(points, rays), options=SolverOptions())
    assert solution is None or np.isfinite(solution.world_from_cam).all()


def test_a_plane_is_enough():
    pose = look_at((0.3, -0.2, 3), (0, 0, 0), (0, 1, 0))
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-1, 1, (300, 2)), np.zeros(300)]
    cam = transformed(inverted(pose), points)
    solution = solve_pose(cells(points, cam[:, :2] / cam[:, 2:]), options=SolverOptions())
    assert pose_error(solution.world_from_cam, pose)[0] < 1e-5


def test_the_seed_decides():
    points, rays, _, _ = correspondences(count=3000, outliers=0.5, noise=1.0)
    one, two = (solve_pose(cells(points, rays), options=SolverOptions()) for _ in range(2))
    np.testing.assert_array_equal(one.world_from_cam, two.world_from_cam)


def test_all_points_count_though_hypotheses_see_a_subset():
    points, rays, pose, good = correspondences(count=4000, outliers=0.5, noise=2.0)
    few = solve_pose(cells(points, rays), options=SolverOptions(subset=200))
    assert len(few.inliers) == len(few.errors) == 4000
    assert few.inliers[good].mean() > 0.95
    # Refined on all of them: as good as what all of them give.
    everything = solve_pose(cells(points, rays), options=SolverOptions(subset=4000))
    assert pose_error(few.world_from_cam, everything.world_from_cam)[0] < 2e-3
    assert pose_error(few.world_from_cam, pose)[0] < 0.01


def test_a_poselib_with_other_options_is_named(monkeypatch):
    from reloc.pose import solver

    solver._check_poselib.cache_clear()
    monkeypatch.setattr(poselib, "RansacOptions", lambda: {"max_error": 1})
    points, rays, _, _ = correspondences()
    try:
        with pytest.raises(ImportError, match=r"poselib<2\.1"):
            solve_pose(cells(points, rays), options=SolverOptions())
    finally:
        solver._check_poselib.cache_clear()


def test_refinement_finds_the_pose_from_nearby_and_tells_when_it_cannot():
    points, rays, pose, good = correspondences(outliers=0.3, seed=4)
    near = pose.copy()
    near[:3, 3] += 0.01
    refined = refine_pose(near, cells(points, rays), options=SolverOptions())
    assert pose_error(refined, pose)[0] < 1e-5
    assert agreement(refined, cells(points, rays), options=SolverOptions()).inliers[good].all()
    far = pose.copy()
    far[:3, 3] += 1000
    assert refine_pose(far, cells(points, rays), options=SolverOptions()) is None
