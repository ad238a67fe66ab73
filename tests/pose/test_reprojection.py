"""Reprojection errors: by the formula, and the same in NumPy, in PyTorch and in the losses."""

import numpy as np
import pytest
import torch

from reloc.geometry import inverted, look_at, pose_from, rotation_from_vector, transformed
from reloc.methods.ace.loss import mapping_loss
from reloc.methods.dsacstar.loss import LossScale, initial_loss
from reloc.methods.refine.images import Cells
from reloc.pose.ransac.matches import BEHIND, Matches
from reloc.pose.ransac.matches import reprojection_errors as batched_errors
from reloc.pose.reprojection import projection_errors, projection_jacobian, reprojection_errors

FOCAL = 500.0
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))


def seen_points(count=40, noise=5.0):
    """World points with rays that miss them by some pixels; every tenth lies behind the camera."""
    rng = np.random.default_rng(0)
    rays = rng.uniform(-0.5, 0.5, (count, 2))
    points = transformed(POSE, np.c_[rays, np.ones(count)] * rng.uniform(1, 6, (count, 1)))
    points[::10] = 2 * POSE[:3, 3] - points[::10]
    return points, rays + rng.normal(0, noise / FOCAL, rays.shape)


def test_errors_are_those_of_the_formula():
    points, rays = seen_points()
    errors = reprojection_errors(inverted(POSE), points, rays, FOCAL)
    for i, (x, y, z) in enumerate(transformed(inverted(POSE), points)):
        expected = FOCAL * np.hypot(x / z - rays[i, 0], y / z - rays[i, 1]) if z > 0 else np.inf
        assert errors[i] == pytest.approx(expected)
    assert np.isinf(errors[::10]).all()


def test_a_point_at_the_camera_has_no_error_to_speak_of():
    errors = reprojection_errors(np.eye(4), np.zeros((1, 3)), np.zeros((1, 2)), FOCAL)
    assert np.isinf(errors).all()


def test_the_jacobian_is_that_of_finite_differences():
    points, _ = seen_points()
    points = points[transformed(inverted(POSE), points)[:, 2] > 0]
    jacobian = projection_jacobian(transformed(inverted(POSE), points))
    step = 1e-6
    for k, motion in enumerate(step * np.eye(6)):
        there = POSE @ pose_from(rotation_from_vector(motion[:3]), motion[3:])
        back = POSE @ pose_from(rotation_from_vector(-motion[:3]), -motion[3:])
        ahead, behind = (transformed(inverted(pose), points) for pose in (there, back))
        change = (ahead[:, :2] / ahead[:, 2:] - behind[:, :2] / behind[:, 2:]) / (2 * step)
        np.testing.assert_allclose(jacobian[..., k], change.T, atol=1e-7)


def of_batches(points, rays, pose):
    matches = Matches(
        points[None], rays[None], torch.tensor([FOCAL]).double(), torch.ones(1, len(points)) > 0
    )
    return batched_errors(pose[None, None], matches)[0, 0]


def of_mapping(points, rays, pose):
    count = len(points)
    terms = mapping_loss(
        points,
        rays,
        torch.full((count,), FOCAL).double(),
        pose.expand(count, 3, 4),
        inverse_depths=torch.zeros(count).double(),
        clamp=50.0,
        scale=4.0,
    )
    return torch.where(terms.valid, terms.errors, BEHIND)


def of_first_stage(points, rays, pose):
    cells = Cells(rays, torch.zeros(len(points)).double(), FOCAL, pose)
    scale = LossScale(meter=1.0, depth=4.0, pixel=1.0)
    errors = initial_loss(points, cells, supervision="rgb", scale=scale)[1]
    return torch.where(errors < 1000, errors, BEHIND)


@pytest.mark.parametrize("errors_of", [of_batches, of_mapping, of_first_stage])
def test_all_that_train_have_the_errors_that_localization_has(errors_of):
    points, rays = seen_points()
    expected = reprojection_errors(inverted(POSE), points, rays, FOCAL)
    pose = torch.from_numpy(inverted(POSE)[:3])
    found = errors_of(torch.from_numpy(points), torch.from_numpy(rays), pose).numpy()
    # The mapping loss keeps its gradient finite at zero by a thousandth of a pixel.
    np.testing.assert_allclose(found, np.where(np.isinf(expected), BEHIND, expected), atol=1e-3)


def test_each_point_may_have_its_own_focal_length():
    points, rays = seen_points()
    cam, focals = transformed(inverted(POSE), points), np.linspace(300, 700, len(points))
    one_by_one = [projection_errors(cam[[i]], rays[[i]], focals[i])[0] for i in range(len(cam))]
    np.testing.assert_array_equal(projection_errors(cam, rays, focals), one_by_one)
