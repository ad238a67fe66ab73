"""Learning rates over a training."""

import numpy as np
import pytest
import torch

from reloc.training import (
    cosine_under_warmup,
    set_learning_rates,
    stable_then_falling,
)
from reloc.training.rates import FIRST, LEAST


def test_they_rise_and_fall():
    at = np.linspace(0, 1, 101)
    values = np.array([cosine_under_warmup(f, warmup=0.1) for f in at])
    top = values.argmax()
    assert values[0] == FIRST
    assert values[-1] == pytest.approx(0)
    assert 0.05 <= at[top] <= 0.15 and values[top] > 0.95
    assert (np.diff(values[:top]) > 0).all() and (np.diff(values[top:]) <= 0).all()


def test_they_are_stable_until_they_fall():
    values = [stable_then_falling(k / 400, steps=k, warmup=40) for k in range(401)]
    assert values[0] == 1 / 40
    assert (np.diff(values[:40]) > 0).all()
    assert set(values[39:301]) == {1.0}
    assert (np.diff(values[300:]) < 0).all()
    assert values[-1] == LEAST
    short = [stable_then_falling(k / 20, steps=k, warmup=40) for k in range(20)]
    assert short[2] == 1.0, "a tenth of the training is enough of a rise"


def test_every_group_keeps_its_share():
    groups = [{"params": torch.nn.Parameter(torch.zeros(1))} for _ in range(3)]
    optimizers = [torch.optim.Adam(groups[:2]), torch.optim.SGD(groups[2:], lr=1.0)]
    set_learning_rates(optimizers, [1.0, 2.0, 3.0], 0.5)
    assert [g["lr"] for o in optimizers for g in o.param_groups] == [0.5, 1.0, 1.5]
