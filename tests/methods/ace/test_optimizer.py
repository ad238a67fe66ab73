"""Muon: orthogonal updates."""

import pytest
import torch

from reloc.methods.ace.optimizer import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(16, 16), (24, 8), (8, 24)])
def test_all_directions_of_an_update_are_about_alike(shape):
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.tensor([1e-6, 1.0, 1e4])[:, None, None]
    for before, after in zip(matrices, orthogonalized(matrices).float(), strict=True):
        values = torch.linalg.svdvals(after)
        assert values.min() > 0.5
        assert values.max() < 1.4
        # The polar factor: the same singular vectors, so the product is symmetric and positive.
        u, _, vt = torch.linalg.svd(before, full_matrices=False)
        assert ((u @ vt) * after).sum() > 0.9 * (u @ vt).norm() * after.norm()


def test_a_zero_gradient_gives_a_zero_update():
    assert torch.equal(orthogonalized(torch.zeros(1, 4, 4)).float(), torch.zeros(1, 4, 4))


def test_it_finds_the_matrix_of_a_linear_map():
    torch.manual_seed(0)
    truth, x = torch.randn(6, 4), torch.randn(100, 4)
    weight = torch.nn.Parameter(torch.zeros(6, 4))
    optimizer = Muon([weight], lr=0.1, weight_decay=0.0)
    for step in range(120):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 120)
        optimizer.zero_grad()
        ((x @ weight.T - x @ truth.T) ** 2).mean().backward()
        optimizer.step()
    assert (weight - truth).abs().max() < 0.1


def test_matrices_do_not_mix_and_those_without_gradient_stay():
    torch.manual_seed(0)
    values = [torch.randn(5, 5), torch.randn(5, 5), torch.randn(5, 3)]
    gradients = [torch.randn_like(v) for v in values]

    def stepped(numbers):
        parameters = [torch.nn.Parameter(v.clone()) for v in values]
        for number in numbers:
            parameters[number].grad = gradients[number].clone()
        Muon(parameters, lr=0.1).step()
        return [p.detach() for p in parameters]

    together = stepped([0, 1, 2])
    for number in range(3):
        alone = stepped([number])
        torch.testing.assert_close(alone[number], together[number], rtol=0.02, atol=0.005)
        for other in {0, 1, 2} - {number}:
            assert torch.equal(alone[other], values[other])


def test_momentum_survives_saving():
    torch.manual_seed(0)
    gradients = torch.randn(4, 5, 5)

    def run(split):
        parameter = torch.nn.Parameter(torch.eye(5))
        optimizer = Muon([parameter], lr=0.1)
        for number, gradient in enumerate(gradients):
            if number == split:
                state = optimizer.state_dict()
                optimizer = Muon([parameter], lr=0.1)
                optimizer.load_state_dict(state)
            parameter.grad = gradient.clone()
            optimizer.step()
        return parameter.detach()

    assert torch.equal(run(None), run(2))
