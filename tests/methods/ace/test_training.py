"""Heads side by side: in groups or one by one they learn the same, and are stored alike."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reloc.methods.ace import optimizer, training
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.region_features import RegionFeatures
from reloc.methods.ace.training import HeadsTraining, heads_together
from reloc.restoring import UnfitState

from .test_trainer import CHANNELS, flat, parts_of, toy_buffer

OPTIONS = MappingOptions(heads=3, steps=8, batch=64, width=16, blocks=1)


@pytest.fixture
def run(monkeypatch):
    """Trains three heads, so many of them together; gives what came of it, and what was told."""
    monkeypatch.setattr(optimizer, "training_dtype", lambda device: torch.float32)
    monkeypatch.setattr(training, "training_dtype", lambda device: torch.float32)
    regions = [
        RegionFeatures(np.arange(5), np.zeros(3), part) for part in parts_of(toy_buffer(), 3)
    ]
    extractor: Any = SimpleNamespace(channels=CHANNELS, device=torch.device("cpu"))

    def trained(together, *, stored=None, until=None):
        monkeypatch.setattr(training, "heads_together", lambda device, *, batch: together)
        made = HeadsTraining(regions, extractor, OPTIONS, depth=3.0, of=3)
        saved: list[Any] = []
        told, seen = [], []

        def progress(stage, done, total, **figures):
            told.append((done, total))

        def callback(snapshot):
            seen.append((snapshot.steps, len(snapshot.learners)))
            if snapshot.steps == until:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) if until else nullcontext():
            found = made.run(
                budget=None,
                rule=None,
                stored=stored,
                save=saved.append,
                progress=progress,
                callback=callback,
            )
            return SimpleNamespace(found=found, saved=saved, told=told, seen=seen)
        return SimpleNamespace(saved=saved)

    return trained


def test_groups_learn_what_heads_learn_one_by_one(run):
    alone = run(1)
    for together in (2, 3):
        grouped = run(together)
        assert grouped.found.steps == alone.found.steps == 24
        assert len(grouped.found.states) == 3
        assert grouped.told[-1] == alone.told[-1] == (24, 24)
        assert grouped.seen[-1] == (24, 3)
        for head, expected in zip(grouped.found.heads, alone.found.heads, strict=True):
            assert (flat(head) - flat(expected)).abs().max() < 1e-4


def test_what_a_group_stored_goes_on_in_others(run):
    whole = run(1)
    state = run(3, until=12).saved[-1]
    assert [head["steps"] for head in state["trainers"]] == [4, 4, 4]
    for together in (1, 2):
        resumed = run(together, stored=state)
        assert resumed.found.steps == 24
        for head, expected in zip(resumed.found.heads, whole.found.heads, strict=True):
            assert (flat(head) - flat(expected)).abs().max() < 1e-4


@pytest.mark.parametrize("change", [lambda s: s["trainers"].pop(), lambda s: s.update(trainers=1)])
def test_a_state_of_other_heads_is_refused(run, change):
    state = dict(run(2).saved[-1])
    state["trainers"] = list(state["trainers"])
    change(state)
    with pytest.raises(UnfitState):
        run(2, stored=state)


def test_a_processor_trains_one_at_a_time_and_a_gpu_as_many_as_fit():
    assert heads_together(torch.device("cpu"), batch=3072) == 1
    assert heads_together(torch.device("cuda"), batch=3072) == 85
    assert heads_together(torch.device("mps"), batch=1 << 20) == 1
