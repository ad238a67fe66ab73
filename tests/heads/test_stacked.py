"""Heads in one stack are the heads that they were made of."""

import copy

import pytest
import torch

from reloc.heads import MlpHead
from reloc.heads.stacked import StackedMlps


@pytest.fixture
def heads():
    torch.manual_seed(0)
    return [MlpHead(channels=6, width=16, blocks=2, scale=s) for s in (1.0, 2.5, 40.0)]


def test_each_gives_what_it_gives_alone(heads):
    features = torch.randn(3, 50, 6)
    found = StackedMlps.of(heads)(features)
    expected = torch.stack([head(part) for head, part in zip(heads, features, strict=True)])
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


def test_heads_of_a_stack_have_its_memory_and_look_like_any_other(heads):
    stack = StackedMlps.of(heads)
    for head, found in zip(heads, stack.heads(), strict=True):
        assert found.spec() == head.spec()
        assert found.state_dict().keys() == head.state_dict().keys()
        for name, part in head.state_dict().items():
            assert torch.equal(found.state_dict()[name], part)
    stack.point_bias[1, 2] = 9.0
    assert stack.heads()[1].point.bias[2] == 9
    own = copy.deepcopy(stack.heads()[1])
    stack.point_bias.zero_()
    assert own.point.bias[2] == 9
    assert heads[1].point.bias.any(), "what a stack was made of stays as it was"


def test_gradients_are_those_of_the_heads(heads):
    stack = StackedMlps.of(heads)
    weights = [weight.requires_grad_() for weight in stack.trained()]
    features = torch.randn(3, 20, 6)
    gradients = torch.autograd.grad(stack(features).square().sum(), weights)
    for number, (head, part) in enumerate(zip(heads, features, strict=True)):
        head(part).square().sum().backward()
        expected = [
            head.inlet.weight.grad,
            torch.stack(
                [layer.weight.grad for b in head.body for layer in b.layers]
                + [head.outlet.weight.grad]
            ),
            torch.stack(
                [head.inlet.bias.grad]
                + [layer.bias.grad for b in head.body for layer in b.layers]
                + [head.outlet.bias.grad]
            ),
            head.point.weight.grad,
            head.point.bias.grad,
        ]
        for found, own in zip(gradients, expected, strict=True):
            torch.testing.assert_close(found[number], own, rtol=1e-3, atol=1e-4)
