"""Motions of poses, and the motion that brings three points onto three others."""

import numpy as np
import torch

from reloc.geometry import rotation_from_vector as reference
from reloc.pose.ransac.motion import moved, rotation_from_vector, three_point_pose


def randoms(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_rotations_are_those_of_the_geometry_module():
    vectors = torch.cat([randoms(20, 3), randoms(5, 3) * 1e-6, torch.zeros(1, 3).double()])
    for vector, rotation in zip(vectors, rotation_from_vector(vectors), strict=True):
        np.testing.assert_allclose(rotation, reference(vector.numpy()), atol=1e-12)


def test_a_motion_moves_the_points_seen():
    pose, motion = (
        torch.eye(3, 4).double()[None],
        torch.tensor([[0, 0, np.pi / 2, 1, 2, 3]]).double(),
    )
    point = torch.tensor([1.0, 0, 0]).double()
    seen = moved(pose, motion)[0]
    torch.testing.assert_close(seen[:, :3] @ point + seen[:, 3], torch.tensor([1.0, 3, 3]).double())


def test_motions_have_the_gradient_of_finite_differences_also_at_zero():
    pose = torch.cat([rotation_from_vector(randoms(4, 3)), randoms(4, 3, 1)], dim=-1)
    motions = torch.cat([randoms(2, 6), torch.zeros(2, 6).double()]).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: moved(pose, m), motions)


def test_three_points_are_brought_onto_three_others():
    truth = torch.cat([rotation_from_vector(randoms(50, 3)), randoms(50, 3, 1, seed=1)], dim=-1)
    points = randoms(50, 3, 3, seed=2)
    found, valid = three_point_pose(points @ truth[..., :3].mT + truth[..., None, :, 3], points)
    assert valid.all()
    torch.testing.assert_close(found, truth)


def test_inexact_points_get_the_least_squares_motion():
    a, b = randoms(50, 3, 3), randoms(50, 3, 3)
    b = a + 0.3 * b  # far from rigid, but the triangles are alike
    found, valid = three_point_pose(a, b)
    centered_a, centered_b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd(centered_a.mT @ centered_b)
    sign = torch.linalg.det(u @ vt)
    u = torch.cat([u[..., :2], u[..., 2:] * sign[:, None, None]], dim=-1)
    torch.testing.assert_close(found[valid][..., :3], (u @ vt)[valid])
    assert valid.sum() > 40


def test_its_gradient_is_that_of_finite_differences():
    a, b = randoms(3, 3, 3).requires_grad_(), randoms(3, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: three_point_pose(a, b)[0], (a, b))


def test_points_on_a_line_give_the_identity_and_no_gradient():
    line = (torch.arange(3.0).double()[:, None] * randoms(1, 3)).requires_grad_()
    alike = torch.ones(3, 3).double().requires_grad_()
    triangle = randoms(3, 3).requires_grad_()
    for a, b in ((line, triangle), (triangle, line), (alike, triangle), (alike, line)):
        pose, valid = three_point_pose(a, b)
        assert not valid
        torch.testing.assert_close(pose, torch.eye(3, 4).double())
        gradients = torch.autograd.grad(pose.sum(), (a, b))
        assert all((g == 0).all() for g in gradients)
