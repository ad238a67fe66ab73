"""A training from its first step to its last, by steps or by the clock."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch

from reloc.checkpoint import Diverged
from reloc.errors import OutputError
from reloc.progress import Progress, silent
from reloc.restoring import fitting
from reloc.training.ending import Ending, EndRule
from reloc.training.turns import turns
from reloc.untrusted import record

CHECKPOINT_SECONDS = 20.0


class Trainer(Protocol):
    """What is trained step by step.

    Attributes:
        steps: made so far.
    """

    steps: int

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training.

        It is made whole or not at all: what it changes for good it changes within
        ``interruption.uninterrupted``.
        """

    def metrics(self) -> dict[str, float]:
        """Figures of the latest step, for progress; waits for the device."""

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""


T = TypeVar("T", bound=Trainer)


@dataclass(frozen=True)
class Every:
    """How often something is done: every so many steps, or else every so many seconds."""

    steps: int | None = None
    seconds: float = 0.0


EACH_STEP = Every(steps=1)


class _Due:
    """Tells when something is to be done again."""

    def __init__(self, every: Every, *, first: int, now: float) -> None:
        self._every = every
        self._first = first
        self._last = now

    def __call__(self, done: int, now: float) -> bool:
        """Whether it is to be done after so many steps, at a time in seconds."""
        if self._every.steps is not None:
            return done % self._every.steps == self._first % self._every.steps
        if now - self._last <= self._every.seconds:
            return False
        self._last = now
        return True


def train(
    trainers: Sequence[T],
    *,
    stage: str,
    steps: int,
    budget: float | None = None,
    stored: Mapping[str, Any] | None = None,
    save: Callable[[Mapping[str, Any]], None],
    checkpoints: Every | None = None,
    progress: Progress = silent,
    tell: Every = EACH_STEP,
    callback: Callable[[T, float], None] | None = None,
    validate: Callable[[], None] | None = None,
    device: torch.device | None = None,
    rule: EndRule | None = None,
) -> float:
    """Trains to the end.

    The state is saved every so often, at the end, and when an interruption or a disk that is full
    ends the training; it is then raised again. Trainers go on from where they stand.

    Args:
        trainers: whose steps do not depend on each other; they take them in turns.
        stage: what the progress is called.
        steps: for each trainer, unless there is a budget.
        budget: seconds that the training of all stretches over instead.
        stored: what ``save`` was given last by a training that was interrupted.
        save: keeps the state that it is given.
        checkpoints: how often; None is every ``CHECKPOINT_SECONDS``.
        progress: told of the steps of all trainers together, with figures of the latest.
        tell: how often, from the first step on; of the last step it is told besides.
        callback: called after every step with its trainer and how far all have come, 0 to 1;
            the last time, at the end, with 1.
        validate: called whenever the state was saved, but for interruptions.
        device: of all trainers, if they may take steps side by side.
        rule: ends the training earlier: where it says so, trainers make a third of the steps, or
            seconds, that they have made once more, while their rates fall.

    Returns:
        Seconds, those of interrupted runs among them.

    Raises:
        UnfitState: ``stored`` is none of such a training.
        Diverged: weights are no longer finite; found when the state is to be saved.
    """
    ending = Ending(steps, budget)
    if stored:
        with fitting():
            states = _of_any_version(stored)
            ending.load_state_dict(states)
            for trainer, state in zip(trainers, states["trainers"], strict=True):
                trainer.load_state_dict(state)
            if rule is not None:
                rule.load_state_dict(record(states["rule"], "rule"))

    def done() -> int:
        return sum(trainer.steps for trainer in trainers)

    def fraction() -> float:
        return min(1.0, ending.fraction(done() / len(trainers)))

    def planned() -> int:
        return round(done() / max(fraction(), 1e-6))

    def save_state() -> None:
        # Between two steps of every trainer: what is saved must be of a piece.
        order.settle()
        told = {} if rule is None else {"rule": rule.state_dict()}
        states = [trainer.state_dict() for trainer in trainers]
        save({"trainers": states, **ending.state_dict(), **told})

    def check() -> None:
        order.settle()
        if not all(trainer.healthy() for trainer in trainers):
            raise Diverged

    def pause() -> int | None:
        """Steps after which all trainers wait until the rule has been asked, if it is to be."""
        following = None if rule is None else rule.next_check()
        return None if following is None or ending.decays(following) else following

    def fraction_of(trainer: T) -> float:
        return 1.0 if trainer.steps == pausing else ending.fraction(trainer.steps)

    to_tell = _Due(tell, first=1, now=-math.inf)
    to_save = _Due(checkpoints or Every(seconds=CHECKPOINT_SECONDS), first=0, now=ending.elapsed())
    told = (0, 0)
    start = saved = done()
    pausing = pause()
    with turns(trainers, fraction_of, device) as order:
        try:
            while True:
                for trainer in order:
                    if to_tell(done(), ending.elapsed()):
                        told = done(), max(done(), planned())
                        made, total = told
                        progress(stage, made, total, **trainer.metrics())
                    if to_save(done(), ending.elapsed()):
                        check()
                        saved = done()
                        save_state()
                        if validate is not None:
                            validate()
                    if callback is not None:
                        callback(trainer, min(fraction(), 1 - 1e-9))
                if rule is None or any(trainer.steps != pausing for trainer in trainers):
                    break
                if rule.reached():
                    ending.end_soon(trainers[0].steps)
                pausing = pause()
            check()
            if callback is not None:
                callback(trainers[-1], 1.0)
            made = done()
            if told != (made, made):
                # One that stood at its end already has no latest step.
                figures = trainers[-1].metrics() if made > start else {}
                progress(stage, made, made, **figures)
            if saved < made:
                # The result may find room where this does not.
                with suppress(OutputError):
                    save_state()
                if validate is not None:
                    validate()
        except (KeyboardInterrupt, OutputError):
            save_state()
            raise
    return ending.elapsed()


def _of_any_version(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state as it is saved now: older ones of a single trainer name it, or hold nothing else."""
    if "trainers" in stored:
        return stored
    return {"spent": 0.0, "budget": None, **stored, "trainers": [stored.get("trainer", stored)]}
