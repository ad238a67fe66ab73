"""Refinement: it finds the minimum, and its gradient is that of the minimum."""

from dataclasses import replace

import pytest
import torch

from reloc.pose.ransac.matches import distance_errors, reprojection_errors
from reloc.pose.ransac.motion import moved
from reloc.pose.ransac.refine import RefineOptions, refined_poses

COSTS = {
    "pixels": RefineOptions(iterations=60),
    "distances": RefineOptions(iterations=60, pixel_scale=None, depth_share=0.02),
    "both": RefineOptions(iterations=60, pixel_scale=3.0, depth_share=0.01),
}
ALL = pytest.mark.parametrize("options", COSTS.values(), ids=COSTS.keys())


def cost(poses, matches, options):
    """The cost as its formula says."""
    total = 0
    for scale, errors in (
        (options.pixel_scale, reprojection_errors),
        (options.depth_share, distance_errors),
    ):
        if scale is not None:
            squared = (errors(poses, matches) / scale).square()
            total = total + (squared / (1 + squared) / 2).sum(dim=-1)
    return total


@pytest.fixture
def starting(problem):
    """Noisy matches with outliers and, per image, two poses near the true one."""
    matches, truth = problem(images=2, cells=40, noise=2.0, inliers=0.8)
    generator = torch.Generator().manual_seed(3)
    motions = 0.005 * torch.randn((2, 2, 6), generator=generator, dtype=torch.float64)
    return matches, truth, moved(truth[:, None].expand(-1, 2, -1, -1), motions)


@ALL
def test_it_ends_at_a_minimum(starting, options):
    matches, truth, start = starting
    refined = refined_poses(start, matches, options=options)
    assert (cost(refined, matches, options) < cost(start, matches, options)).all()
    motions = torch.zeros(2, 2, 6, dtype=torch.float64, requires_grad=True)
    cost(moved(refined, motions), matches, options).sum().backward()
    assert motions.grad.abs().max() < 1e-4
    off = (refined - truth[:, None]).abs().amax(dim=(-2, -1))
    assert (off < 0.02).all()


@pytest.mark.slow
@ALL
def test_the_gradient_is_that_of_finite_differences(starting, options):
    matches, _, start = starting
    points = matches.scene_coordinates.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: refined_poses(start, replace(matches, scene_coordinates=x), options=options),
        points,
        atol=1e-5,
        rtol=1e-3,
        fast_mode=True,
    )


def test_outliers_neither_move_the_pose_nor_have_a_gradient(problem):
    matches, truth = problem(images=1, cells=50)
    points = matches.scene_coordinates.clone()
    points[:, :20] += 2.0
    points.requires_grad_()
    made = replace(matches, scene_coordinates=points)
    refined = refined_poses(truth[:, None], made, options=RefineOptions())
    torch.testing.assert_close(refined[:, 0], truth, atol=1e-3, rtol=0)
    refined.sum().backward()
    assert points.grad[:, :20].abs().max() < 1e-3 * points.grad[:, 20:].abs().max()


@ALL
@pytest.mark.parametrize("what", ["unusable", "two cells", "alike"])
def test_a_pose_that_nothing_determines_is_finite_and_has_no_gradient(starting, options, what):
    matches, _, start = starting
    points = matches.scene_coordinates
    count = {"unusable": 0, "two cells": 2, "alike": 40}[what]
    mask = torch.arange(40).expand(2, -1) < count
    if what == "alike":
        points = points[:, :1].expand_as(points)
        matches = replace(
            matches,
            rays=matches.rays[:, :1].expand_as(matches.rays),
            measured=matches.measured[:, :1].expand_as(matches.measured),
        )
    points = points.clone().requires_grad_()
    matches = replace(matches, scene_coordinates=points, usable=mask, ranged=mask)
    refined = refined_poses(start, matches, options=options)
    assert torch.isfinite(refined).all()
    if what == "unusable":
        assert torch.equal(refined, start)
    refined.sum().backward()
    assert (points.grad == 0).all()


def test_points_behind_the_camera_do_not_pull(problem):
    matches, truth = problem(images=2, cells=40, noise=2.0)
    half_turn = torch.diag(torch.tensor([-1.0, 1.0, -1.0]).double())
    start = (half_turn @ truth)[:, None]
    points = matches.scene_coordinates.clone().requires_grad_()
    matches = replace(matches, scene_coordinates=points)
    refined = refined_poses(start, matches, options=COSTS["pixels"])
    assert torch.equal(refined, start)
    refined.sum().backward()
    assert (points.grad == 0).all()
