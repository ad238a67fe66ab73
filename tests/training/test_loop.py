"""The loop of all trainings, on a quadratic: to the end, by the clock, interrupted, diverged."""

import contextlib
import copy
import itertools
import time
from typing import Any

import numpy as np
import pytest
import torch

from reloc.checkpoint import Diverged
from reloc.errors import OutputError
from reloc.interruption import uninterrupted
from reloc.restoring import UnfitState, restore, stored_steps
from reloc.training import (
    Every,
    finite,
    loop,
    seed_of_step,
    set_learning_rates,
    stable_then_falling,
    train,
)


class Quadratic:
    """Moves a point to another by noisy gradients; Adam remembers them."""

    def __init__(self, seed=0):
        self.seed = seed
        self.steps = 0
        self.network = torch.nn.Linear(1, 3, bias=False)
        torch.nn.init.zeros_(self.network.weight)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.told = 0

    def step(self, fraction):
        rate = stable_then_falling(fraction, steps=self.steps, warmup=2)
        set_learning_rates([self.optimizer], [0.1], rate)
        chance = torch.Generator().manual_seed(seed_of_step(self.seed, self.steps))
        target = torch.tensor([[1.0], [2.0], [3.0]]) + torch.randn((3, 1), generator=chance)
        self.optimizer.zero_grad()
        (self.network.weight - target).square().sum().backward()
        with uninterrupted():
            self.optimizer.step()
            self.steps += 1

    def metrics(self):
        self.told += 1
        return {"size": float(self.network.weight.detach().norm())}

    def healthy(self):
        return finite(self.network)

    def state_dict(self):
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
        }

    def load_state_dict(self, state):
        restore(self.network, state["network"])
        restore(self.optimizer, state["optimizer"])
        self.steps = stored_steps(state["steps"])


class Run:
    """Trains quadratics, and keeps what it is told."""

    def __init__(self, count=1, **given):
        self.trainers = [Quadratic(seed) for seed in range(count)]
        self.saved, self.told, self.watched = [], [], []
        self.given = {"steps": 10, "checkpoints": Every(steps=4), **given}

    def train(self, **given):
        def save(state):
            self.saved.append(copy.deepcopy(state))

        def progress(stage, done, total, **metrics):
            self.told.append((done, total, metrics))

        return train(
            self.trainers,
            stage="toy",
            **{
                "save": save,
                "progress": progress,
                "callback": lambda trainer, fraction: self.watched.append(fraction),
                **self.given,
                **given,
            },
        )

    def weights(self):
        return torch.cat([t.network.weight.detach().flatten() for t in self.trainers])


@pytest.fixture
def clock(monkeypatch):
    """A second between any two looks at the clock."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))


def stop_at(step, error):
    def progress(stage, done, total, **metrics):
        if done == step:
            raise error

    return progress


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_trainers_take_their_steps_whatever_their_number(device):
    alone, several = Run(), Run(3, device=device)
    alone.train()
    several.train()
    assert [t.steps for t in several.trainers] == [10, 10, 10]
    assert torch.equal(several.weights()[:3], alone.weights())
    assert several.told[-1][:2] == (30, 30)
    assert several.watched[-1] == 1 and max(several.watched[:-1]) < 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError("full")])
def test_an_interrupted_training_goes_on_to_the_same_bits(count, error):
    whole, killed, resumed = (Run(count, device=torch.device("cpu")) for _ in range(3))
    whole.train()
    with pytest.raises(error if isinstance(error, type) else type(error)):
        killed.train(progress=stop_at(6, error))
    made = sum(t["steps"] for t in killed.saved[-1]["trainers"])
    assert made >= 6
    resumed.train(stored=killed.saved[-1])
    assert torch.equal(resumed.weights(), whole.weights())
    assert resumed.told[0][0] > made


def test_what_was_saved_last_is_enough_after_a_kill():
    whole, killed, resumed = Run(), Run(), Run()
    whole.train()
    with pytest.raises(ZeroDivisionError):
        killed.train(progress=stop_at(7, ZeroDivisionError))
    assert [s["trainers"][0]["steps"] for s in killed.saved] == [4]
    resumed.train(stored=killed.saved[-1])
    assert torch.equal(resumed.weights(), whole.weights())


def test_a_training_that_stood_at_its_end_stays_there():
    whole, again = Run(), Run()
    whole.train()
    again.train(stored=whole.saved[-1])
    assert torch.equal(again.weights(), whole.weights())
    assert again.told == [(10, 10, {})]
    assert not again.saved


@pytest.mark.parametrize("of_one", [lambda state: {"trainer": state}, lambda state: state])
def test_states_of_older_versions_are_read(of_one):
    killed, resumed = Run(), Run()
    with pytest.raises(KeyboardInterrupt):
        killed.train(progress=stop_at(6, KeyboardInterrupt))
    resumed.train(stored=of_one(killed.saved[-1]["trainers"][0]))
    assert resumed.told[0][0] == 7


def test_a_state_of_something_else_is_refused():
    run = Run()
    run.train()
    change: dict[str, Any]
    for change in ({"trainers": []}, {"spent": "long"}, {"trainers": [{"steps": 3}]}):
        with pytest.raises(UnfitState):
            Run().train(stored=run.saved[-1] | change)


def test_it_is_saved_every_so_many_steps_and_at_the_end():
    run, validated = Run(), []
    run.train(validate=lambda: validated.append(run.trainers[0].steps))
    assert [s["trainers"][0]["steps"] for s in run.saved] == validated == [4, 8, 10]


def test_it_is_saved_every_so_many_seconds(clock, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    run = Run(checkpoints=None)
    run.train()
    assert [s["trainers"][0]["steps"] for s in run.saved] == list(range(1, 11))


def test_a_disk_that_is_full_at_the_end_does_not_cost_the_training():
    def full(state):
        raise OutputError("full")

    run = Run(checkpoints=Every(steps=100))
    run.train(save=full)
    assert run.trainers[0].steps == 10
    with pytest.raises(OutputError):
        Run().train(save=full)


def test_the_budget_ends_it_and_tells_the_time_that_is_left(clock):
    run = Run(budget=400.0, steps=1)
    spent = run.train()
    assert spent >= 400
    assert run.trainers[0].steps > 10
    halfway = len(run.told) // 2
    total = run.told[halfway][1]
    assert total == pytest.approx(run.told[-1][0], rel=0.1), "the steps that there will be"
    assert run.told[-1][0] == run.told[-1][1]
    assert [f for f in run.watched if f == 1] == [1]


def test_a_resumed_training_has_what_is_left_of_its_budget(clock):
    killed, resumed = Run(budget=400.0), Run(budget=9999.0)
    with pytest.raises(KeyboardInterrupt):
        killed.train(progress=stop_at(20, KeyboardInterrupt))
    spent = killed.saved[-1]["spent"]
    assert 0 < spent < 400
    assert resumed.train(stored=killed.saved[-1]) == pytest.approx(400, abs=20)
    assert resumed.watched[0] > spent / 400


def test_progress_tells_the_first_step_each_nth_and_the_last():
    run = Run(tell=Every(steps=4))
    run.train()
    assert [row[:2] for row in run.told] == [(1, 10), (5, 10), (9, 10), (10, 10)]
    assert all(row[2]["size"] > 0 for row in run.told)
    assert run.trainers[0].told == 4, "figures are asked for no more often"


def test_divergence_is_told_and_saves_nothing():
    run = Run(steps=100)

    def break_it(trainer, fraction):
        if trainer.steps == 6:
            torch.nn.init.constant_(trainer.network.weight, float("nan"))

    with pytest.raises(Diverged):
        run.train(callback=break_it)
    assert run.trainers[0].steps == 8, "not trained to the end"
    assert [s["trainers"][0]["steps"] for s in run.saved] == [4]
    with pytest.raises(Diverged):
        Run().train(callback=break_it, checkpoints=Every(steps=100))


class After:
    """Ends a training at the n-th check; there is one every three steps."""

    def __init__(self, checks, trainers):
        self.checks, self.trainers, self.asked = checks, trainers, []

    def next_check(self):
        return 3 * len(self.asked) + 3

    def reached(self):
        steps = {trainer.steps for trainer in self.trainers}
        assert steps == {self.next_check()}, "all trainers wait at the check"
        self.asked += steps
        return len(self.asked) == self.checks

    def state_dict(self):
        return {"asked": self.asked}

    def load_state_dict(self, state):
        self.asked = list(state["asked"])


@pytest.mark.parametrize("count", [1, 3])
def test_a_rule_ends_it_after_a_third_more(count):
    run = Run(count, steps=100, device=torch.device("cpu"))
    rule = After(2, run.trainers)
    run.train(rule=rule)
    assert rule.asked == [3, 6], "nobody asks while rates fall"
    assert [t.steps for t in run.trainers] == [8] * count
    assert run.told[-1][:2] == (8 * count, 8 * count)
    assert (np.diff(run.watched) > 0).all() and run.watched[-1] == 1
    assert run.watched[6 * count] >= 0.75


def test_a_rule_that_is_never_content_leaves_the_end_where_it_is():
    run, whole = Run(steps=10), Run(steps=10)
    rule = After(99, run.trainers)
    run.train(rule=rule)
    whole.train()
    assert rule.asked == [3, 6]
    assert torch.equal(run.weights(), whole.weights())


@pytest.mark.parametrize("at", [2, 3, 6, 7])
def test_a_training_with_a_rule_goes_on_to_the_same_bits(at):
    def run(**given):
        made = Run(2, steps=100, device=torch.device("cpu"))
        rule = After(2, made.trainers)
        with contextlib.suppress(KeyboardInterrupt):
            made.train(rule=rule, **given)
        return made

    whole, killed = run(), run(progress=stop_at(2 * at, KeyboardInterrupt))
    resumed = run(stored=killed.saved[-1])
    assert torch.equal(resumed.weights(), whole.weights())


def test_a_rule_moves_the_end_of_a_budget(clock):
    run = Run(budget=4000.0, steps=1)
    spent = run.train(rule=After(2, run.trainers))
    assert 8 <= run.trainers[0].steps < 20
    assert spent < 200
