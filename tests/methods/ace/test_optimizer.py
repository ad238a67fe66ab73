"""Muon and AdamW on stacks of weights."""

import pytest
import torch

from reloc.methods.ace.optimizer import AdamW, Muon, orthogonalized


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
    weight = torch.zeros(1, 6, 4, requires_grad=True)
    muon = Muon([weight], weight_decay=0.0)
    for step in range(120):
        gradients = torch.autograd.grad(((x @ weight[0].T - x @ truth.T) ** 2).mean(), [weight])
        muon.step(tuple(gradients), rate=torch.tensor(0.1 * (1 - step / 120)), renew=True)
    assert (weight - truth).abs().max() < 0.1


def test_matrices_do_not_mix():
    torch.manual_seed(0)
    values, gradients = torch.randn(2, 3, 5, 5), torch.randn(2, 3, 5, 5)

    def stepped(which):
        stack = values[:, which].clone()
        Muon([stack]).step((gradients[:, which],), rate=torch.tensor(0.1), renew=True)
        return stack

    torch.testing.assert_close(stepped([1]), stepped([0, 1, 2])[:, 1:2], rtol=0.02, atol=0.005)


def test_a_direction_serves_until_it_is_renewed():
    torch.manual_seed(0)
    first, second = torch.randn(2, 1, 5, 5)
    stack = torch.zeros(1, 5, 5)
    muon = Muon([stack], weight_decay=0.0)
    muon.step((first,), rate=torch.tensor(1.0), renew=True)
    before = stack.clone()
    muon.step((second,), rate=torch.tensor(1.0), renew=False)
    torch.testing.assert_close(stack, 2 * before)
    muon.step((second,), rate=torch.tensor(1.0), renew=True)
    assert (stack - 3 * before).abs().max() > 0.1


def test_one_kernel_does_what_the_optimiser_of_pytorch_does():
    torch.manual_seed(0)
    values = [torch.randn(3, 4), torch.randn(5)]
    own = [value.clone() for value in values]
    theirs = [torch.nn.Parameter(value) for value in values]
    adam, expected = AdamW(own), torch.optim.AdamW(theirs, lr=1.0, weight_decay=0.01)
    for rate in (0.1, 0.02, 0.3):
        for parameter in theirs:
            parameter.grad = torch.randn_like(parameter)
        transposed = torch.randn(4, 3).T
        theirs[0].grad.copy_(transposed)
        expected.param_groups[0]["lr"] = rate
        expected.step()
        adam.step((transposed, theirs[1].grad), rate=torch.tensor(rate))
    for mine, parameter in zip(own, theirs, strict=True):
        torch.testing.assert_close(mine, parameter.detach())
