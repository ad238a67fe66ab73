"""A few broken inputs of every kind; ``benchmarks/fuzz.py`` runs as many as one likes."""

from pathlib import Path

import pytest

from tests.fuzz.running import input_of, run_input
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

INPUTS = 20


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_broken_inputs_are_refused_or_read(target: Target, tmp_path: Path) -> None:
    faults = []
    for number in range(target.count, target.count + max(4, round(INPUTS * target.share))):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        outcome = run_input(target, input_of(target, seed=0, number=number), scratch)
        if outcome.faulty:
            faults.append(f"{number}: {outcome.ending} {outcome.where}\n{outcome.detail}")
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_valid_inputs_are_read(target: Target, tmp_path: Path) -> None:
    """What the others are changed from is read to its end, or faults could hide behind that."""
    for number in range(target.count):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        assert run_input(target, target.seed(number), scratch).ending == "loaded"


@pytest.mark.parametrize("name", ["map", "scene-transforms", "library", "zip", "checkpoint"])
def test_the_same_number_gives_the_same_input(name: str) -> None:
    target = TARGETS[name]
    for number in range(target.count, target.count + 20):
        first = input_of(target, seed=3, number=number)
        assert first == input_of(target, seed=3, number=number)
    assert first != target.seed(number)
