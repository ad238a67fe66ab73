"""Errors of all cells under all hypotheses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.pose.ransac.matches import BEHIND, distance_errors, reprojection_errors
from reloc.pose.ransac.motion import moved
from reloc.pose.reprojection import reprojection_errors as reference


@pytest.fixture
def several(problem):
    """Matches and, for each image, five poses around the true one."""
    matches, truth = problem(noise=3.0, inliers=0.7)
    generator = torch.Generator().manual_seed(1)
    motions = torch.randn((3, 5, 6), generator=generator, dtype=torch.float64)
    return matches, moved(truth[:, None].expand(-1, 5, -1, -1), motions)


def test_reprojection_errors_are_those_of_the_solver(several):
    matches, poses = several
    errors = reprojection_errors(poses, matches).numpy()
    for image in range(3):
        for hypothesis in range(5):
            expected = reference(
                poses[image, hypothesis].numpy(),
                matches.scene_coordinates[image].numpy(),
                matches.rays[image].numpy(),
                float(matches.focals[image]),
            )
            near = expected < 5000
            np.testing.assert_allclose(errors[image, hypothesis][near], expected[near])
            assert (errors[image, hypothesis][np.isinf(expected)] == BEHIND).all()
    assert (errors == BEHIND).any()


def test_distance_errors_are_those_of_a_loop(several):
    matches, poses = several
    matches = replace(matches, ranged=torch.rand(3, 60) < 0.5)
    errors = distance_errors(poses, matches)
    for image in range(3):
        for hypothesis in range(5):
            pose = poses[image, hypothesis]
            seen = matches.scene_coordinates[image] @ pose[:, :3].T + pose[:, 3]
            expected = (seen - matches.measured[image]).norm(dim=1)
            expected = expected / matches.measured[image, :, 2]
            expected[~matches.ranged[image]] = BEHIND
            torch.testing.assert_close(errors[image, hypothesis], expected)


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences(several):
    matches, poses = several
    points = matches.scene_coordinates.clone().requires_grad_()
    poses = poses.clone().requires_grad_()
    for errors in (reprojection_errors, distance_errors):
        assert torch.autograd.gradcheck(
            lambda x, p, errors=errors: errors(p, replace(matches, scene_coordinates=x)).clamp(
                max=2000
            ),
            (points, poses),
            atol=1e-4,
            rtol=1e-4,
        )


def test_a_perfect_point_and_one_in_the_image_plane_have_finite_gradients(problem):
    matches, _ = problem(images=1, cells=3)
    points = torch.tensor([[[0.0, 0, 1], [1, 0, 0], [0, 0, 0]]]).double().requires_grad_()
    rays = torch.zeros_like(matches.rays)
    made = replace(matches, scene_coordinates=points, rays=rays)
    errors = reprojection_errors(torch.eye(3, 4).double()[None, None], made)
    assert errors[0, 0].tolist() == [0, BEHIND, BEHIND]
    errors.sum().backward()
    assert (points.grad == 0).all()
