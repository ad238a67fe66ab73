"""Scores, losses and their expectation, against plain formulas and finite differences."""

import math

import pytest
import torch

from reloc.geometry import inverted, pose_error
from reloc.pose.ransac.motion import moved, rotation_from_vector
from reloc.pose.ransac.scores import expected_losses, pose_losses, soft_inlier_scores


def randoms(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_scores_are_those_of_a_loop():
    errors, usable = randoms(2, 3, 40).abs() * 20, randoms(2, 40, seed=1) > -0.5
    scores = soft_inlier_scores(errors, usable, threshold=10.0)
    for image in range(2):
        for hypothesis in range(3):
            total = sum(
                1 / (1 + math.exp(-(5 / 10) * (10 - float(errors[image, hypothesis, cell]))))
                for cell in range(40)
                if usable[image, cell]
            )
            expected = 100 * total / int(usable[image].sum())
            assert float(scores[image, hypothesis]) == pytest.approx(expected)


def test_an_image_without_usable_cells_scores_zero():
    errors = torch.ones(1, 2, 5, requires_grad=True)
    scores = soft_inlier_scores(errors, torch.zeros(1, 5, dtype=torch.bool), threshold=10.0)
    assert (scores == 0).all()
    scores.sum().backward()
    assert (errors.grad == 0).all()


def test_scores_have_the_gradient_of_finite_differences():
    errors = (randoms(2, 3, 10).abs() * 20).requires_grad_()
    usable = randoms(2, 10, seed=1) > -0.5
    assert torch.autograd.gradcheck(lambda e: soft_inlier_scores(e, usable, threshold=10.0), errors)


def poses(*shape, seed=0):
    rotation = rotation_from_vector(randoms(*shape, 3, seed=seed))
    return torch.cat([rotation, randoms(*shape, 3, 1, seed=seed + 9)], dim=-1)


def homogeneous(pose):
    return torch.cat([pose, torch.tensor([[0.0, 0, 0, 1]]).double()]).numpy()


@pytest.mark.parametrize("meter", [1.0, 100.0])
def test_losses_are_degrees_and_meters_clamped(meter):
    truth = poses(4)
    found = torch.cat([moved(truth, 0.05 * randoms(4, 6))[:, None], poses(4, 6, seed=5)], dim=1)
    losses = pose_losses(found, truth, meter=meter)
    for image in range(4):
        for hypothesis in range(7):
            distance, angle = pose_error(
                inverted(homogeneous(found[image, hypothesis])),
                inverted(homogeneous(truth[image])),
            )
            loss = angle + 100 * distance / meter
            expected = loss if loss <= 100 else math.sqrt(100 * loss)
            assert float(losses[image, hypothesis]) == pytest.approx(expected)
    assert (losses > 100).any() or meter > 1


def test_losses_have_the_gradient_of_finite_differences_on_both_sides_of_the_clamp():
    truth = poses(1)
    near = moved(truth, torch.tensor([[0.1, 0.05, -0.1, 0.1, 0.2, 0.1]]).double())
    far = moved(truth, torch.tensor([[1.0, 0.5, -1, 4, 3, 2]]).double())
    found = torch.stack([near, far], dim=1).requires_grad_()
    losses = pose_losses(found, truth, meter=1.0)
    assert losses[0, 0] < 100 < losses[0, 1]
    motions = torch.zeros(1, 2, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda m: pose_losses(moved(found.detach(), m), truth, meter=1.0), motions
    )


def test_a_perfect_pose_and_one_turned_about_have_finite_gradients():
    truth = torch.eye(3, 4).double()[None]
    about = torch.cat([torch.diag(torch.tensor([1.0, -1, -1])).double(), truth[0, :, 3:]], dim=1)
    found = torch.stack([truth[0], about])[None].requires_grad_()
    losses = pose_losses(found, truth, meter=1.0)
    assert losses[0, 0].item() == 0
    assert losses[0, 1].item() == pytest.approx(math.sqrt(100 * 180))
    losses.sum().backward()
    assert torch.isfinite(found.grad).all()


def test_the_expectation_weighs_by_the_softmax_over_valid_hypotheses():
    scores, losses = randoms(2, 4), randoms(2, 4, seed=1).abs()
    valid = torch.tensor([[True, True, False, True], [True] * 4])
    expected = []
    for image in range(2):
        weights = [math.exp(float(scores[image, k])) * bool(valid[image, k]) for k in range(4)]
        total = sum(w * float(losses[image, k]) for k, w in enumerate(weights))
        expected.append(total / sum(weights))
    assert expected_losses(scores, losses, valid).tolist() == pytest.approx(expected)


def test_the_expectation_has_the_gradient_of_finite_differences():
    scores, losses = randoms(2, 4).requires_grad_(), randoms(2, 4, seed=1).requires_grad_()
    valid = torch.tensor([[True, True, False, True], [True] * 4])
    assert torch.autograd.gradcheck(lambda s, x: expected_losses(s, x, valid), (scores, losses))


def test_without_a_valid_hypothesis_there_is_no_loss_and_no_gradient():
    scores, losses = randoms(1, 4).requires_grad_(), randoms(1, 4, seed=1).requires_grad_()
    expected = expected_losses(scores, losses, torch.zeros(1, 4, dtype=torch.bool))
    assert expected.tolist() == [0]
    expected.sum().backward()
    assert (scores.grad == 0).all() and (losses.grad == 0).all()
