import copy
from typing import Any

import pytest
import torch
from torch import nn

from reloc.restoring import UnfitState, fitting, restore, stored_seconds


def parts() -> tuple[nn.Linear, torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    return network, optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)


def train(made: tuple[Any, ...], steps: int) -> None:
    network, optimizer, schedule = made
    for step in range(steps):
        optimizer.zero_grad()
        network(torch.full((1, 4), 1.0 + step)).square().sum().backward()
        optimizer.step()
        schedule.step()


def test_a_restored_training_goes_on_to_the_same_bits() -> None:
    first, again = parts(), parts()
    train(first, 3)
    part: Any
    of: Any
    for part, of in zip(again, first, strict=True):
        restore(part, copy.deepcopy(of.state_dict()))
    train(first, 4)
    train(again, 4)
    assert torch.equal(first[0].weight, again[0].weight)
    assert first[2].get_last_lr() == again[2].get_last_lr()


def test_constants_stay_as_they_were_made() -> None:
    _, optimizer, _ = parts()
    state = optimizer.state_dict()
    state["param_groups"][0] |= {"eps": 1.0, "lr": 0.02}
    restore(optimizer, state)
    assert (optimizer.param_groups[0]["eps"], optimizer.param_groups[0]["lr"]) == (1e-8, 0.02)


@pytest.mark.parametrize("value", [None, -1.0, float("nan"), "1", True, [1.0]])
def test_seconds_that_are_none(value: object) -> None:
    assert stored_seconds({"spent": 2.0, "budget": 9}, 5.0) == (2.0, 9.0)
    assert stored_seconds({"spent": 2.0, "budget": None}, None) == (2.0, None)
    with pytest.raises(UnfitState), fitting():
        stored_seconds({"spent": value, "budget": None}, None)
    with pytest.raises(UnfitState), fitting():
        stored_seconds({"spent": 2.0, "budget": value}, 5.0)


def test_only_a_network_of_the_same_parameters_is_restored() -> None:
    for other in (nn.Linear(4, 2), nn.Linear(4, 3, bias=False), nn.Linear(4, 3).double()):
        network = nn.Linear(4, 3)
        before = network.weight.detach().clone()
        with pytest.raises(ValueError, match=r"other parameters|another type or shape"):
            restore(network, other.state_dict())
        assert torch.equal(network.weight, before)
