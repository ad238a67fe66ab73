"""The training of all heads of a map side by side, by steps or by the clock."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.devices import sharing_threads
from reloc.errors import OutputError
from reloc.heads import Head
from reloc.interruption import uninterrupted
from reloc.mapping.trainer import HeadTrainer, TrainingState
from reloc.progress import Progress
from reloc.restoring import fitting, stored_seconds

CHECKPOINT_SECONDS = 20.0
_SECONDS_BETWEEN_FIGURES = 0.5


@dataclass(frozen=True)
class Learner:
    """A head in training and its part of the place.

    Attributes:
        head: as it is now.
        origin: (3,) what its coordinates are relative to, world frame.
        frames: rows of the posed mapping frames that it learns from.
    """

    head: Head
    origin: NDArray[np.float64]
    frames: NDArray[np.intp]


@dataclass(frozen=True)
class Moment:
    """Where a mapping stands after a step; for those who watch, who must change nothing.

    Attributes:
        learners: all heads; while one is looked at, others may go on learning.
        steps: of all heads together.
        fraction: of the training, 0 to 1.
        state: figures of the step; asking for them waits for the device.
    """

    learners: tuple[Learner, ...]
    steps: int
    fraction: float
    state: Callable[[], TrainingState]


def train_heads(
    trainers: Sequence[HeadTrainer],
    *,
    steps: int,
    budget: float | None,
    stored: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    progress: Progress,
    watch: Callable[[HeadTrainer, float], None],
) -> float:
    """Trains heads in turns of one step, as many at a time as there are cores to share.

    A small head cannot keep several cores busy, several small heads can. What each of them learns
    does not depend on the others, nor on how many there are at a time.

    Args:
        trainers: one for each head, all on one device.
        steps: for each head, unless there is a budget.
        budget: seconds that the schedule of all heads stretches over instead.
        stored: what ``save`` was given last by a training that was interrupted.
        save: keeps the state that it is given; called every so often, at the end, and when an
            interruption or a disk that is full ends the training.
        progress: told of the steps of all heads together.
        watch: called after every step with its trainer and how far all heads have come, 0 to 1.

    Returns:
        Seconds, together with those before an interruption.
    """
    spent = 0.0
    if stored:
        with fitting():
            spent, budget = stored_seconds(stored, budget)
            for trainer, state in zip(trainers, stored["trainers"], strict=True):
                trainer.load_state_dict(state)
    began = time.monotonic() - spent
    saved, shown = spent, 0.0
    waiting = deque(range(len(trainers)))
    running: dict[Future[None], int] = {}

    def elapsed() -> float:
        return time.monotonic() - began

    def done() -> int:
        return sum(trainer.steps for trainer in trainers)

    def fraction() -> float:
        whole = steps * len(trainers)
        return min(1.0, done() / whole if budget is None else elapsed() / budget)

    def start_as_many_as_fit() -> None:
        # A step that nobody remembers would go on while the state is saved.
        with uninterrupted():
            while waiting and len(running) < workers:
                number = waiting.popleft()
                trainer = trainers[number]
                at = trainer.steps / steps if budget is None else elapsed() / budget
                if at < 1:
                    running[crew.submit(trainer.step, at)] = number

    def checkpoint() -> None:
        # Between two steps of every head: what is saved must be of a piece.
        wait(running)
        states = [trainer.state_dict() for trainer in trainers]
        save({"trainers": states, "spent": elapsed(), "budget": budget})

    with sharing_threads(len(trainers), trainers[0].device) as (crew, workers):
        try:
            start_as_many_as_fit()
            while running:
                for job in wait(running, return_when=FIRST_COMPLETED).done:
                    number = running.pop(job)
                    job.result()
                    waiting.append(number)
                    watch(trainers[number], min(fraction(), 1 - 1e-9))
                if time.monotonic() - shown > _SECONDS_BETWEEN_FIGURES:
                    shown = time.monotonic()
                    _tell(progress, trainers[number].state(), done(), fraction())
                if elapsed() - saved > CHECKPOINT_SECONDS:
                    saved = elapsed()
                    checkpoint()
                start_as_many_as_fit()
            watch(trainers[-1], 1.0)
            progress("training", done(), done())
            # The map may find room where this does not.
            with suppress(OutputError):
                checkpoint()
        except (KeyboardInterrupt, OutputError):
            checkpoint()
            raise
    return elapsed()


def _tell(progress: Progress, state: TrainingState, done: int, fraction: float) -> None:
    progress(
        "training",
        done,
        max(done, round(done / max(fraction, 1e-6))),
        loss=state.loss,
        median_px=state.median_error,
        inliers=state.inlier_share,
    )
