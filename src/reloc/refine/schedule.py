"""A training from its first step to its last, by steps or by the clock."""

import time
from collections.abc import Callable
from typing import Protocol

from reloc.progress import Progress

CHECKPOINT_SECONDS = 20.0


class Trainer(Protocol):
    """What can be trained step by step."""

    steps: int

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""

    def loss(self) -> float:
        """Running mean of the loss; waits for the device."""


def run_schedule(
    trainer: Trainer,
    *,
    stage: str,
    steps: int,
    budget: float | None,
    spent: float,
    save: Callable[[float], None],
    progress: Progress,
) -> float:
    """Trains to the end; returns the seconds, those of interrupted runs among them.

    Args:
        trainer: goes on from where it stands.
        stage: what the progress is called.
        steps: in all, unless there is a budget.
        budget: seconds in all.
        spent: seconds that earlier runs took.
        save: keeps the state, given the seconds so far; called every so often and on
            KeyboardInterrupt.
        progress: told of every step.
    """
    began = time.monotonic() - spent
    saved = spent
    try:
        while True:
            elapsed = time.monotonic() - began
            fraction = trainer.steps / steps if budget is None else elapsed / budget
            if fraction >= 1:
                break
            trainer.step(fraction)
            total = steps if budget is None else round(trainer.steps / max(fraction, 1e-6))
            progress(stage, trainer.steps, max(total, trainer.steps), loss=trainer.loss())
            if elapsed - saved > CHECKPOINT_SECONDS:
                saved = elapsed
                save(elapsed)
    except KeyboardInterrupt:
        save(time.monotonic() - began)
        raise
    progress(stage, trainer.steps, trainer.steps)
    return time.monotonic() - began
