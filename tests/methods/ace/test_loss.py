"""The mapping loss against a loop over points, and its behaviour at the edges."""

import math

import numpy as np
import pytest
import torch

from reloc.geometry import inverted, look_at, pose_from, rotation_from_quaternion
from reloc.methods.ace.loss import (
    BASELINE,
    MAX_DEPTH,
    MAX_ERROR,
    MIN_DEPTH,
    PARALLAX_WEIGHT,
    PROXY_DEPTH,
    curriculum,
    mapping_loss,
)


def random_batch(seed=0, count=200, scale=1.0):
    """Points of which some project well, some badly, some lie behind or too far."""
    rng = np.random.default_rng(seed)
    poses = np.stack(
        [
            pose_from(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3))
            for _ in range(count)
        ]
    )
    rays = rng.uniform(-0.5, 0.5, (count, 2))
    depth = rng.uniform(0.2, 5, count)
    depth[::5] *= -1
    depth[1::9] = 1000
    depth[2::9] = 0.01
    cam = np.c_[rays, np.ones(count)] * depth[:, None]
    cam += rng.normal(size=(count, 3)) * rng.choice([0, 0.02, 1.0], (count, 1))
    points = np.einsum("nij,nj->ni", poses[:, :3, :3], cam) + poses[:, :3, 3]
    cam_from_world = inverted(poses)[:, :3]
    cam_from_world[:, :, 3] *= scale
    # Two thirds have a depth, right or wrong.
    inverse_depths = np.where(np.arange(count) % 3, 1 / rng.uniform(0.5, 5, count), 0) / scale
    return {
        "scene_coordinates": torch.from_numpy(points * scale),
        "rays": torch.from_numpy(rays),
        "focals": torch.from_numpy(rng.uniform(300, 800, count)),
        "cam_from_world": torch.from_numpy(cam_from_world),
        "inverse_depths": torch.from_numpy(inverse_depths),
        "scale": scale,
    }


def by_hand(point, ray, focal, cam_from_world, inverse_depth, *, clamp, scale):
    """Loss, error and validity of one point."""
    p = cam_from_world[:, :3] @ point + cam_from_world[:, 3]
    if MIN_DEPTH * scale < p[2] < MAX_DEPTH * scale:
        error = focal * math.hypot(p[0] / p[2] - ray[0], p[1] / p[2] - ray[1])
        if error < MAX_ERROR:
            loss = clamp * math.tanh(error / clamp)
            if inverse_depth > 0:
                parallax = focal * BASELINE * scale * abs(1 / p[2] - inverse_depth)
                loss += PARALLAX_WEIGHT * clamp * math.tanh(parallax / clamp)
            return loss, error, True
    proxy = 1 / inverse_depth if inverse_depth > 0 else PROXY_DEPTH * scale
    target = np.array([ray[0], ray[1], 1]) * proxy
    return np.abs(p - target).sum() * focal / proxy, MAX_ERROR, False


@pytest.mark.parametrize("clamp", [1.0, 50.0, 400.0])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_loss_is_the_mean_over_points_of_the_formula(clamp, scale):
    batch = random_batch()
    batch["scale"] = scale
    terms = mapping_loss(**batch, clamp=clamp)
    rows = [
        by_hand(
            batch["scene_coordinates"][i].numpy(),
            batch["rays"][i].numpy(),
            batch["focals"][i].item(),
            batch["cam_from_world"][i].numpy(),
            batch["inverse_depths"][i].item(),
            clamp=clamp,
            scale=scale,
        )
        for i in range(len(batch["rays"]))
    ]
    losses, errors, valid = (np.array(column) for column in zip(*rows, strict=True))
    assert 20 < valid.sum() < 180, "the batch must hold both kinds"
    np.testing.assert_array_equal(terms.valid.numpy(), valid)
    np.testing.assert_allclose(terms.errors.numpy(), errors, atol=2e-3)
    assert terms.loss.item() == pytest.approx(losses.mean(), rel=1e-4)


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_the_unit_of_length_does_not_matter(factor):
    one = mapping_loss(**random_batch(), clamp=30.0)
    other = mapping_loss(**random_batch(scale=factor), clamp=30.0)
    assert other.loss.item() == pytest.approx(one.loss.item(), rel=1e-9)
    assert torch.equal(one.valid, other.valid)


def point_before(cam_point, *, ray=(0.0, 0.0), focal=500.0, clamp=10.0, inverse_depth=0.0):
    """Terms and gradient of one point given in the camera frame."""
    cam_from_world = torch.from_numpy(inverted(look_at((1, 2, 3), (0, 0, 0)))[None, :3]).float()
    p = torch.tensor([cam_point], dtype=torch.float32)
    world = (p - cam_from_world[:, :, 3]) @ cam_from_world[0, :, :3]
    world.requires_grad_(True)
    terms = mapping_loss(
        world,
        torch.tensor([ray]),
        torch.tensor([focal]),
        cam_from_world,
        inverse_depths=torch.tensor([inverse_depth]),
        clamp=clamp,
        scale=1.0,
    )
    terms.loss.backward()
    # The gradient in the camera frame.
    return terms, (cam_from_world[0, :, :3] @ world.grad[0]).numpy()


@pytest.mark.parametrize("inverse_depth", [0.0, 0.5])
@pytest.mark.parametrize(
    "cam_point",
    [
        (0, 0, 2),
        (0, 0, 0),
        (0.3, 0, 0),
        (0, 0, -2),
        (1e-9, 0, -1e-9),
        (1e4, 1e4, 1e-3),
        (0, 0, 1e6),
    ],
)
def test_gradients_are_finite_everywhere(cam_point, inverse_depth):
    terms, gradient = point_before(cam_point, inverse_depth=inverse_depth)
    assert torch.isfinite(terms.loss)
    assert np.isfinite(gradient).all()
    assert not terms.loss.isnan()


def test_a_perfect_point_costs_next_to_nothing():
    terms, gradient = point_before((0.2, -0.1, 2), ray=(0.1, -0.05))
    assert terms.valid.all()
    assert terms.loss < 5e-3
    assert np.abs(gradient).max() < 50


def test_a_point_behind_the_camera_is_drawn_forward_through_it():
    terms, gradient = point_before((0.0, 0.0, -3.0))
    assert not terms.valid.any()
    assert terms.errors.item() == MAX_ERROR
    assert gradient[2] < 0, "going down the gradient must bring the point to the front"


def test_a_point_beside_its_ray_is_drawn_to_it():
    _, gradient = point_before((0.03, -0.02, 2.0))
    assert gradient[0] > 0 > gradient[1]


def test_a_point_on_its_ray_is_drawn_to_the_depth_that_is_known():
    """Where the reprojection error is blind, the parallax error tells near from far."""
    for depth, sign in ((1.8, -1), (2.2, 1)):
        _, blind = point_before((0.0, 0.0, depth))
        terms, gradient = point_before((0.0, 0.0, depth), inverse_depth=0.5)
        assert abs(blind[2]) < 1e-3
        assert np.sign(gradient[2]) == sign
        assert terms.errors.item() < 2e-3, "figures are of the reprojection alone"


def test_an_invalid_point_is_drawn_to_the_depth_that_is_known():
    for inverse_depth, sign in ((0.0, 1), (0.25, -1)):
        _, gradient = point_before((9.0, 0.0, 2.0), focal=1000.0, inverse_depth=inverse_depth)
        assert np.sign(gradient[2]) == sign


def test_points_too_near_or_too_far_count_as_invalid():
    for depth in (MIN_DEPTH / 2, MAX_DEPTH * 2):
        terms, _ = point_before((0, 0, depth))
        assert not terms.valid.any()
    for depth in (MIN_DEPTH * 2, MAX_DEPTH / 2):
        terms, _ = point_before((0, 0, depth))
        assert terms.valid.all()


def test_errors_carry_no_gradient():
    terms, _ = point_before((0.1, 0, 2))
    assert not terms.errors.requires_grad


def test_the_curriculum_falls_slowly_then_fast_to_its_end():
    values = [curriculum(t, start=50.0, end=1.0) for t in np.linspace(0, 1, 21)]
    assert values[0] == pytest.approx(51)  # (1 - s) 50 + 1, as in the paper
    assert values[-1] == 1
    steps = -np.diff(values)
    assert (steps > 0).all()
    assert (np.diff(steps) > 0).all()
    assert values[10] == pytest.approx(1 + 50 * math.sqrt(0.75))


def test_the_curriculum_stays_at_its_end():
    """Rounding may bring the fraction a little over one."""
    assert curriculum(1.0000001, start=50.0, end=2.0) == 2
