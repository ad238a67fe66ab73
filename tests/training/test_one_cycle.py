"""Training by steps on a one-cycle schedule."""

import copy

import pytest
import torch

from reloc.training import OneCycleTrainer
from reloc.training.one_cycle import MAX_GRADIENT


def trainer_of(network):
    return OneCycleTrainer(
        network,
        parts={"layer": network},
        learning_rate=0.1,
        weight_decay=0.01,
        steps=8,
        warmup=0.25,
    )


def trained(trainer, steps):
    for _ in range(steps):
        trainer.zero_grad()
        trainer.trained(torch.full((1, 2), 5.0 + trainer.steps)).square().sum().backward()
        trainer.clip()
        trainer.advance()
    return trainer


def layer():
    torch.manual_seed(0)
    return torch.nn.Linear(2, 3)


def test_it_goes_on_from_its_state_to_the_same_bits():
    whole, half, resumed = (trainer_of(layer()) for _ in range(3))
    trained(whole, 8)
    resumed.load_state_dict(copy.deepcopy(trained(half, 4).state_dict()))
    assert resumed.steps == 4
    assert torch.equal(trained(resumed, 4).trained.weight, whole.trained.weight)


def test_states_that_do_not_fit_are_refused():
    state = trained(trainer_of(layer()), 2).state_dict()
    for other in (state | {"layer": torch.nn.Linear(5, 3).state_dict()}, state | {"step": -1}):
        with pytest.raises(ValueError, match=r"another type or shape|steps"):
            trainer_of(layer()).load_state_dict(other)
    with pytest.raises(KeyError):
        trainer_of(layer()).load_state_dict({"step": 2})


def test_gradients_are_bounded_and_weights_that_are_not_finite_told():
    trainer = trainer_of(layer())
    trainer.trained(torch.full((1, 2), 1e6)).square().sum().backward()
    trainer.clip()
    length = torch.cat([p.grad.flatten() for p in trainer.trained.parameters()]).norm()
    assert length == pytest.approx(MAX_GRADIENT, rel=1e-4)
    assert trainer.healthy()
    with torch.no_grad():
        trainer.trained.bias[1] = float("inf")
    assert not trainer.healthy()
