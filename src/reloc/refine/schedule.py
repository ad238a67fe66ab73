"""A training from its first step to its last, by steps or by the clock."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from reloc.errors import OutputError
from reloc.interruption import uninterrupted
from reloc.progress import Progress
from reloc.restoring import fitting, stored_seconds

CHECKPOINT_SECONDS = 20.0


class Trainer(Protocol):
    """What can be trained step by step."""

    steps: int

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""

    def loss(self) -> float:
        """Running mean of the loss; waits for the device."""

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""


def run_schedule(
    trainer: Trainer,
    *,
    stage: str,
    steps: int,
    budget: float | None,
    stored: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    progress: Progress,
) -> float:
    """Trains to the end; returns the seconds, those of interrupted runs among them.

    Args:
        trainer: goes on from where it stands.
        stage: what the progress is called.
        steps: in all, unless there is a budget.
        budget: seconds in all.
        stored: what ``save`` was given last by a training that was interrupted.
        save: keeps the state that it is given; called every so often, at the end, and when an
            interruption or a disk that is full ends the training.
        progress: told of every step.
    """
    spent = 0.0
    if stored:
        with fitting():
            trainer.load_state_dict(stored["trainer"])
            spent, budget = stored_seconds(stored, budget)
    began = time.monotonic() - spent
    saved = spent

    def elapsed_seconds() -> float:
        return time.monotonic() - began

    def checkpoint() -> None:
        save({"trainer": trainer.state_dict(), "spent": elapsed_seconds(), "budget": budget})

    try:
        while True:
            elapsed = elapsed_seconds()
            fraction = trainer.steps / steps if budget is None else elapsed / budget
            if fraction >= 1:
                break
            with uninterrupted():
                trainer.step(fraction)
            total = steps if budget is None else round(trainer.steps / max(fraction, 1e-6))
            progress(stage, trainer.steps, max(total, trainer.steps), loss=trainer.loss())
            if elapsed - saved > CHECKPOINT_SECONDS:
                saved = elapsed
                checkpoint()
        progress(stage, trainer.steps, trainer.steps)
        # The map may find room where this does not.
        with suppress(OutputError):
            checkpoint()
    except (KeyboardInterrupt, OutputError):
        checkpoint()
        raise
    return elapsed_seconds()
