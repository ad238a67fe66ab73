"""The solver of many images and the expected loss, as a whole."""

from dataclasses import replace

import pytest
import torch

from reloc.pose.ransac import (
    Matches,
    RansacOptions,
    RefineOptions,
    expected_pose_losses,
    solve_poses,
)
from reloc.pose.ransac.motion import rotation_from_vector
from reloc.pose.ransac.scores import pose_losses

RGB = RansacOptions(hypotheses=16)
RGBD = RansacOptions(
    hypotheses=16,
    threshold=0.04,
    by_depth=True,
    refine=RefineOptions(pixel_scale=None, depth_share=0.02),
)
KINDS = pytest.mark.parametrize("options", [RGB, RGBD], ids=["rgb", "rgbd"])


def seeded():
    return torch.Generator().manual_seed(0)


@KINDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poses_are_found_among_outliers(problem, options, dtype):
    matches, truth = problem(images=8, cells=600, inliers=0.6, noise=1.0, dtype=dtype)
    options = replace(options, hypotheses=64)
    found = solve_poses(matches, options=options, generator=seeded())
    assert found.found.all()
    assert found.cam_from_world.dtype == dtype
    losses = pose_losses(found.cam_from_world[:, None], truth, meter=1.0)
    assert (losses < 1.0).all()
    assert ((found.scores > 40) & (found.scores < 80)).all()


@KINDS
def test_padding_changes_nothing(problem, options):
    matches, _ = problem(images=2, cells=100, noise=1.0)
    pad = {
        name: torch.nn.functional.pad(getattr(matches, name), (0, 0, 0, 30), value=7.0)
        for name in ("scene_coordinates", "rays", "measured")
    }
    masks = {
        name: torch.nn.functional.pad(getattr(matches, name), (0, 30))
        for name in ("usable", "ranged")
    }
    plain = solve_poses(matches, options=options, generator=seeded())
    padded = solve_poses(
        Matches(focals=matches.focals, **pad, **masks), options=options, generator=seeded()
    )
    torch.testing.assert_close(padded.cam_from_world, plain.cam_from_world)
    torch.testing.assert_close(padded.scores, plain.scores)


@KINDS
def test_a_world_that_is_moved_gives_the_same_views_from_moved_places(problem, options):
    matches, truth = problem(images=4, cells=200, inliers=0.7, noise=1.0)
    rotation = rotation_from_vector(torch.tensor([0.3, -2.0, 1.0]).double())
    shift = torch.tensor([3.0, -1.0, 2.0]).double()
    elsewhere = replace(matches, scene_coordinates=matches.scene_coordinates @ rotation.T + shift)

    def moved_world(cam_from_world):
        turned = cam_from_world[..., :3] @ rotation.T
        return torch.cat([turned, cam_from_world[..., 3:] - (turned @ shift)[..., None]], dim=-1)

    here = solve_poses(matches, options=options, generator=seeded())
    there = solve_poses(elsewhere, options=options, generator=seeded())
    torch.testing.assert_close(
        there.cam_from_world, moved_world(here.cam_from_world), atol=1e-6, rtol=0
    )
    losses = [
        expected_pose_losses(m, t, options=options, meter=1.0, generator=seeded())
        for m, t in ((matches, truth), (elsewhere, moved_world(truth)))
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=1e-5)


def test_the_unit_of_length_does_not_matter(problem):
    matches, truth = problem(images=4, cells=200, inliers=0.7, noise=1.0)
    larger = replace(matches, scene_coordinates=100 * matches.scene_coordinates)
    stretch = torch.tensor([1.0, 1, 1, 100]).double()
    losses = [
        expected_pose_losses(m, t, options=RGB, meter=meter, generator=seeded())
        for m, t, meter in ((matches, truth, 1.0), (larger, truth * stretch, 100.0))
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-6, rtol=1e-6)


@KINDS
def test_the_expected_loss_has_the_gradient_of_finite_differences(problem, options):
    matches, truth = problem(images=1, cells=24, inliers=0.9, noise=2.0)
    refine = replace(options.refine, iterations=60)
    options = replace(options, hypotheses=3, draws=8, refine=refine)

    def loss(points):
        moved = replace(matches, scene_coordinates=points)
        return expected_pose_losses(moved, truth, options=options, meter=1.0, generator=seeded())

    points = matches.scene_coordinates.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, points, atol=1e-4, rtol=1e-3, fast_mode=True)


@KINDS
@pytest.mark.parametrize("what", ["unusable", "few", "alike", "behind", "far"])
def test_hopeless_images_have_finite_losses_and_gradients(problem, options, what):
    matches, truth = problem(images=2, cells=30)
    points = matches.scene_coordinates.clone()
    if what in ("unusable", "few"):
        mask = torch.arange(30).expand(2, -1) < (0 if what == "unusable" else 2)
        matches = replace(matches, usable=mask, ranged=mask)
    elif what == "alike":
        points[:] = 1.0
    elif what == "behind":
        points = -points
    else:
        points *= 1e6
    points.requires_grad_()
    matches = replace(matches, scene_coordinates=points)
    losses = expected_pose_losses(matches, truth, options=options, meter=1.0, generator=seeded())
    assert torch.isfinite(losses).all()
    losses.sum().backward()
    assert torch.isfinite(points.grad).all()
    found = solve_poses(matches, options=options, generator=seeded())
    assert torch.isfinite(found.cam_from_world).all()
    if what in ("unusable", "few", "alike"):
        assert not found.found.any()
        assert (losses == 0).all()


@pytest.mark.slow
@KINDS
def test_nothing_waits_for_the_device(problem, options):
    """On the meta device there are no values, so that whatever asks for one fails."""
    matches, truth = problem(images=2, cells=30, dtype=torch.float32)
    there = {n: getattr(matches, n).to("meta") for n in Matches.__dataclass_fields__}
    there["scene_coordinates"].requires_grad_()
    made = Matches(**there)
    losses = expected_pose_losses(made, truth.to("meta"), options=options, meter=1.0)
    losses.sum().backward()
    assert solve_poses(made, options=options).cam_from_world.shape == (2, 3, 4)
