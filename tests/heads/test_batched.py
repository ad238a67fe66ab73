"""Heads at once give what they give one by one."""

import pytest
import torch

from reloc.heads import MlpHead
from reloc.heads.batched import BatchedHeads

CPU = torch.device("cpu")


def made_heads():
    """Three of one size, one of another, and a module of another kind."""
    torch.manual_seed(0)
    heads = [MlpHead(channels=6, width=16, blocks=2, scale=s) for s in (1.0, 2.5, 40.0)]
    heads.insert(1, MlpHead(channels=6, width=8, blocks=0, scale=3.0))
    other = torch.nn.Linear(6, 3)
    other.scale = torch.tensor(1.0)
    return [*heads, other]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("numbers", [None, [2], [4, 0], [3, 1, 0, 2, 4], [0, 2, 3]])
def test_batched_products_agree_with_a_plain_loop(dtype, numbers):
    heads = made_heads()
    features = torch.randn(50, 6)
    found = BatchedHeads(heads, device=CPU, dtype=dtype)(features, numbers)
    with torch.inference_mode():
        expected = torch.stack([heads[n](features) for n in numbers or range(len(heads))])
    tolerance = 1e-5 if dtype == torch.float32 else 0.05
    relative = (found - expected).norm(dim=(1, 2)) / expected.norm(dim=(1, 2))
    assert relative.max() < tolerance
    assert found.dtype == torch.float32


def test_heads_stay_as_they_are():
    heads = made_heads()
    heads[0].train()
    stack = BatchedHeads(heads, device=CPU, dtype=torch.bfloat16)
    before = stack(torch.ones(2, 6))
    assert heads[0].training
    assert heads[0].inlet.weight.dtype == torch.float32
    with torch.no_grad():
        for head in heads:
            for parameter in head.parameters():
                parameter.zero_()
    assert torch.equal(stack(torch.ones(2, 6)), before)
    assert len(stack) == 5
