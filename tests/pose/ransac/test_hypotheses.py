"""Hypotheses from minimal sets, and how they move with the scene coordinates."""

from dataclasses import replace

import pytest
import torch

from reloc.pose.ransac.hypotheses import rgb_hypotheses, rgbd_hypotheses

KINDS = pytest.mark.parametrize("make", [rgb_hypotheses, rgbd_hypotheses], ids=["rgb", "rgbd"])


def seeded():
    return torch.Generator().manual_seed(0)


@KINDS
def test_perfect_matches_give_the_true_pose_every_time(problem, make):
    matches, truth = problem()
    found = make(matches, count=16, generator=seeded())
    assert found.valid.all()
    torch.testing.assert_close(
        found.cam_from_world, truth[:, None].expand(-1, 16, -1, -1), atol=1e-5, rtol=0
    )


@KINDS
def test_more_draws_give_more_right_hypotheses(problem, make):
    matches, truth = problem(images=8, cells=400, inliers=0.5, noise=1.0)
    right = []
    for draws in (1, 8):
        found = make(matches, count=64, draws=draws, generator=seeded())
        off = (found.cam_from_world - truth[:, None]).abs().amax(dim=(-2, -1))
        right.append(float((off < 0.1).double().mean()))
    assert right[1] > 2 * right[0]


@pytest.mark.slow
@KINDS
def test_the_gradient_is_that_of_finite_differences(problem, make):
    matches, _ = problem(images=2, cells=7, noise=20.0)

    def poses(points):
        moved = replace(matches, scene_coordinates=points)
        return make(moved, count=3, draws=1, generator=seeded()).cam_from_world

    points = matches.scene_coordinates.clone().requires_grad_()
    assert make(matches, count=3, draws=1, generator=seeded()).valid.all()
    # The exact solution of P3P is accurate to rounding times its condition.
    assert torch.autograd.gradcheck(poses, points, eps=1e-5, atol=1e-4, rtol=1e-3)


@KINDS
@pytest.mark.parametrize("what", ["alike", "line", "unusable", "two cells"])
def test_degenerate_matches_have_no_valid_hypothesis_and_no_gradient(problem, make, what):
    matches, _ = problem(images=2, cells=9)
    points = matches.scene_coordinates
    if what == "alike":
        points = torch.ones_like(points)
    elif what == "line":
        points = torch.arange(9.0).double()[None, :, None] * torch.ones_like(points)
    else:
        mask = torch.arange(9).expand(2, -1) < (0 if what == "unusable" else 2)
        matches = replace(matches, usable=mask, ranged=mask)
    points = points.clone().requires_grad_()
    found = make(replace(matches, scene_coordinates=points), count=4, generator=seeded())
    assert not found.valid.any()
    assert torch.isfinite(found.cam_from_world).all()
    found.cam_from_world.sum().backward()
    assert (points.grad == 0).all()
