"""Weighted robust refinement: against a plain minimiser, and against what noise does to poses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.geometry import inverted, look_at, pose_error, pose_from, rotation_from_vector
from reloc.geometry import transformed as moved_points
from reloc.pose.correspondences import Correspondences, Kind, concatenated
from reloc.pose.ransac.motion import moved
from reloc.pose.refinement import RefinementOptions, refined_pose
from reloc.pose.solver import SolverOptions, refine_pose, solve_pose

FOCAL = 500.0
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))
NEAR = POSE @ pose_from(rotation_from_vector([0.01, -0.008, 0.005]), [0.03, -0.02, 0.04])
ALL = RefinementOptions(gate=1e6, rounds=1)


def seen_points(kind, count, sigma, *, seed, outliers=0.0):
    rng = np.random.default_rng(seed)
    rays = rng.uniform((-0.4, -0.3), (0.6, 0.2), (count, 2))
    points = moved_points(POSE, np.c_[rays, np.ones(count)] * rng.uniform(2, 6, (count, 1)))
    rays = rays + rng.normal(0, sigma / FOCAL, rays.shape)
    wrong = rng.random(count) < outliers
    rays[wrong] += rng.uniform(-0.05, 0.05, (wrong.sum(), 2))
    return Correspondences.of_kind(kind, points, rays, FOCAL, sigma=sigma)


def both_kinds(seed=0, outliers=0.0):
    return concatenated(
        [
            seen_points(Kind.CELL, 150, 5.0, seed=seed, outliers=outliers),
            seen_points(Kind.LANDMARK, 40, 0.8, seed=seed + 1000, outliers=outliers),
        ]
    )


def plainly_minimized(start, seen, scale):
    """L-BFGS with derivatives by autograd: nothing in common with what is tested but the cost."""
    points, rays = torch.from_numpy(seen.scene_coordinates), torch.from_numpy(seen.rays)
    pull = torch.from_numpy(seen.focal / seen.sigmas)
    first = torch.from_numpy(inverted(start)[:3])
    motion = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [motion],
        max_iter=500,
        tolerance_grad=1e-11,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def cost():
        search.zero_grad()
        pose = moved(first, motion)
        cam = points @ pose[:, :3].T + pose[:, 3]
        squared = ((cam[:, :2] / cam[:, 2:] - rays) * pull[:, None]).square().sum(dim=1)
        loss = torch.log1p(squared / scale**2).sum()
        if seen.depths is not None:
            known = torch.from_numpy(np.isfinite(seen.depths))
            depths = torch.from_numpy(seen.depths)[known]
            off = (cam[known, 2] - depths) / (ALL.depth_share * depths)
            loss = loss + torch.log1p(off.square() / scale**2).sum()
        loss.backward()
        return loss

    search.step(cost)
    pose = moved(first, motion.detach()).numpy()
    return inverted(np.vstack([pose, (0, 0, 0, 1)]))


@pytest.mark.parametrize("scale", [0.7, 2.0])
def test_it_finds_the_minimum_that_a_plain_minimizer_finds(scale):
    seen = both_kinds(outliers=0.2)
    found = refined_pose(NEAR, seen, options=RefinementOptions(scale=scale, gate=1e6, rounds=1))
    plain = plainly_minimized(NEAR, seen, scale)
    translation, rotation = pose_error(found.world_from_cam, plain)
    assert translation < 1e-6
    assert rotation < 1e-5
    # The plain one starts far enough for this to say something.
    assert pose_error(NEAR, plain)[0] > 0.01


def with_depths(seen, *, noise=0.01, seed=0):
    """Half of the depths, measured with noise, and one in ten of them wrong."""
    rng = np.random.default_rng(seed)
    depths = moved_points(inverted(POSE), seen.scene_coordinates)[:, 2]
    depths = depths * rng.normal(1, noise, len(seen))
    depths[rng.random(len(seen)) < 0.1] *= 1.5
    return replace(seen, depths=np.where(rng.random(len(seen)) < 0.5, depths, np.nan))


@pytest.mark.parametrize("scale", [0.7, 2.0])
def test_with_depth_it_finds_the_minimum_that_a_plain_minimizer_finds(scale):
    seen = with_depths(both_kinds(outliers=0.2))
    found = refined_pose(NEAR, seen, options=RefinementOptions(scale=scale, gate=1e6, rounds=1))
    plain = plainly_minimized(NEAR, seen, scale)
    translation, rotation = pose_error(found.world_from_cam, plain)
    assert translation < 1e-6
    assert rotation < 1e-5
    without = plainly_minimized(NEAR, replace(seen, depths=None), scale)
    assert pose_error(without, plain)[0] > 1e-4


def test_depth_tells_how_far_ahead_the_camera_stands():
    errors: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(20):
        few = seen_points(Kind.LANDMARK, 12, 1.0, seed=seed)
        for measured in errors:
            some = with_depths(few, noise=0.002, seed=seed) if measured else few
            pose = refined_pose(NEAR, some, options=ALL).world_from_cam
            errors[measured].append(abs((inverted(POSE) @ pose)[2, 3]))
    assert np.median(errors[True]) < 0.75 * np.median(errors[False])


def test_depth_that_nobody_measured_changes_nothing():
    seen = both_kinds(outliers=0.2)
    blind = replace(seen, depths=np.full(len(seen), np.nan))
    one, other = (refined_pose(NEAR, s, options=RefinementOptions()) for s in (seen, blind))
    np.testing.assert_allclose(one.world_from_cam, other.world_from_cam, atol=1e-12)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-6)


def test_with_one_sigma_it_finds_what_poselib_finds():
    seen = seen_points(Kind.CELL, 300, 2.0, seed=1, outliers=0.3)
    solver = SolverOptions(threshold=7.5, refine_scale=1.0)
    found = refined_pose(NEAR, seen, options=RefinementOptions(scale=1.0, gate=7.5))
    other = refine_pose(NEAR, seen, options=solver)
    translation, rotation = pose_error(found.world_from_cam, other)
    assert translation < 1e-5
    assert rotation < 1e-4
    np.testing.assert_array_equal(found.inliers, found.errors < 15.0)


def test_the_solver_gives_each_correspondence_its_own_sigma():
    seen = both_kinds(outliers=0.2)
    solver = SolverOptions(threshold=6.0, refine_scale=1.5)
    solution = solve_pose(seen, options=solver)
    options = RefinementOptions(scale=1.5, gate=6.0)
    found = refined_pose(solution.world_from_cam, seen, options=options)
    assert pose_error(solution.world_from_cam, found.world_from_cam)[0] < 1e-5
    np.testing.assert_array_equal(solution.inliers, solution.errors < 6.0 * seen.sigmas)
    marks = seen.kinds == Kind.LANDMARK
    assert solution.inliers[marks].mean() == pytest.approx(0.8, abs=0.15)


def test_precise_points_improve_a_pose_by_their_weight():
    errors: dict[str, list[float]] = {"both": [], "cells": [], "equal": []}
    for seed in range(20):
        seen = both_kinds(seed)
        equal = Correspondences.of_kind(
            Kind.CELL, seen.scene_coordinates, seen.rays, FOCAL, sigma=5
        )
        for name, some in (
            ("both", seen),
            ("cells", seen[seen.kinds == Kind.CELL]),
            ("equal", equal),
        ):
            pose = refined_pose(NEAR, some, options=RefinementOptions(scale=3.0)).world_from_cam
            errors[name].append(pose_error(pose, POSE)[0])
    typical = {name: np.median(values) for name, values in errors.items()}
    assert typical["both"] < 0.5 * typical["equal"] < 0.6 * typical["cells"]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_covariance_is_the_spread_of_poses_under_noise(scale):
    motions, predicted = [], []
    for seed in range(200):
        seen = both_kinds(seed)
        found = refined_pose(POSE, seen, options=RefinementOptions(scale=scale, gate=50))
        d = inverted(POSE) @ found.world_from_cam
        turn = 0.5 * np.array([d[2, 1] - d[1, 2], d[0, 2] - d[2, 0], d[1, 0] - d[0, 1]])
        # Whitened by the prediction, the motions are six independent unit normals.
        white = np.linalg.inv(np.linalg.cholesky(found.covariance))
        motions.append(white @ np.r_[turn, d[:3, 3]])
        predicted.append(found.covariance)
    values = np.linalg.eigvalsh(np.cov(np.array(motions).T))
    assert values.min() > 0.55
    assert values.max() < 1.8


def test_neither_the_frame_nor_the_unit_of_length_matters():
    seen = both_kinds(outliers=0.2)
    found = refined_pose(NEAR, seen, options=RefinementOptions())
    world = pose_from(rotation_from_vector([0.3, 2, -1]), [5, 6, 7])
    scale = 1000.0
    there = Correspondences(
        scale * moved_points(world, seen.scene_coordinates),
        seen.rays,
        seen.focal,
        seen.sigmas,
        seen.kinds,
    )

    def brought(pose):
        result = world @ pose
        result[:3, 3] *= scale
        return result

    other = refined_pose(brought(NEAR), there, options=RefinementOptions())
    np.testing.assert_allclose(other.world_from_cam, brought(found.world_from_cam), atol=1e-5)
    units = np.r_[np.ones(3), np.full(3, scale)]
    np.testing.assert_allclose(
        other.covariance, found.covariance * np.outer(units, units), rtol=1e-4, atol=1e-12
    )
    np.testing.assert_array_equal(other.inliers, found.inliers)


@pytest.mark.parametrize("case", ["none", "three", "one point", "a line through the camera", "far"])
def test_what_does_not_fix_a_pose_gives_none(case):
    seen = both_kinds()
    start = POSE
    if case in ("none", "three"):
        seen = seen[np.arange(0 if case == "none" else 3)]
    elif case == "one point":
        seen = seen[np.zeros(20, np.intp)]
    elif case == "far":
        start = pose_from(POSE[:3, :3], POSE[:3, 3] + 1000)
    else:
        points = POSE[:3, 3] + np.outer(np.linspace(1, 4, 20), POSE[:3, 2])
        seen = Correspondences.of_kind(Kind.CELL, points, np.zeros((20, 2)), FOCAL)
    assert refined_pose(start, seen, options=RefinementOptions(gate=1e3)) is None


def test_points_behind_the_camera_take_no_part():
    seen = both_kinds()
    points = seen.scene_coordinates.copy()
    behind = np.arange(len(points)) % 5 == 0
    points[behind] = 2 * POSE[:3, 3] - points[behind]
    mirrored = Correspondences(points, seen.rays, seen.focal, seen.sigmas, seen.kinds)
    found = refined_pose(NEAR, mirrored, options=ALL)
    assert not found.inliers[behind].any()
    assert np.isinf(found.errors[behind]).all()
    assert pose_error(found.world_from_cam, POSE)[0] < 0.02


def test_parts_of_other_focal_lengths_join():
    cells, marks = both_kinds()[np.arange(150)], both_kinds()[np.arange(150, 190)]
    finer = Correspondences(
        marks.scene_coordinates, marks.rays, 2 * FOCAL, 2 * marks.sigmas, marks.kinds
    )
    joined = concatenated([cells, finer])
    assert joined.focal == FOCAL
    np.testing.assert_array_equal(joined.sigmas, both_kinds().sigmas)
    assert joined.depths is None
