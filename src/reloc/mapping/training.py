"""The training of heads from the first step to the last, by steps or by the clock."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.heads import Head
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.trainer import HeadTrainer, TrainingState
from reloc.progress import Progress

CHECKPOINT_SECONDS = 20.0
_SECONDS_BETWEEN_FIGURES = 0.5


@dataclass(frozen=True)
class TrainedHead:
    """A trained head and how it went.

    Attributes:
        head: on the device that it was trained on.
        healthy: whether all its weights are finite.
        steps: that it was trained for.
        state: figures of the last step.
        seconds: wall time.
    """

    head: Head
    healthy: bool
    steps: int
    state: TrainingState
    seconds: float


@dataclass(frozen=True)
class Moment:
    """Where a mapping stands after a step; for those who watch, who must change nothing.

    Attributes:
        head: as it is now, in training.
        origin: (3,) what its coordinates are relative to, world frame.
        frames: rows of the posed mapping frames that it learns from.
        steps: that it was trained for.
        fraction: of the training of all heads, 0 to 1.
        state: figures of the step; asking for them waits for the device.
    """

    head: Head
    origin: NDArray[np.float64]
    frames: NDArray[np.intp]
    steps: int
    fraction: float
    state: Callable[[], TrainingState]


def train_heads(
    buffers: Sequence[FeatureBuffer],
    trainer_of: Callable[[FeatureBuffer], HeadTrainer],
    *,
    steps: int,
    budget: float | None,
    stored: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    progress: Progress,
    watch: Callable[[int, HeadTrainer, float], None],
) -> list[TrainedHead]:
    """Trains one head after the other.

    Args:
        buffers: what each learns from.
        trainer_of: makes the trainer of an untrained head.
        steps: for each head, unless there is a budget.
        budget: seconds for all heads together, shared alike.
        stored: what ``save`` was given last by a training that was interrupted.
        save: keeps the state that it is given; called every so often and on KeyboardInterrupt.
        progress: told of the steps of all heads together.
        watch: called after every step with the number of the head, its trainer, and where it stands
            in its own training, 0 to 1.
    """
    finished: list[dict[str, Any]] = list(stored["finished"]) if stored else []
    budget = stored["budget"] if stored else budget
    trained: list[TrainedHead] = []
    for number, buffer in enumerate(buffers):
        trainer = trainer_of(buffer)
        if number < len(finished):
            record = finished[number]
            trainer.head.load_state_dict(record["head"])
        else:
            spent = 0.0
            if stored and number == len(stored["finished"]):
                trainer.load_state_dict(stored["trainer"])
                spent = stored["spent"]
            left = len(buffers) - number
            used = sum(head.seconds for head in trained)

            def checkpoint(spent: float, trainer: HeadTrainer = trainer) -> None:
                state = {"trainer": trainer.state_dict(), "spent": spent}
                save({**state, "budget": budget, "finished": finished})

            seconds = _train(
                trainer,
                steps=steps,
                budget=None if budget is None else max(1.0, (budget - used) / left),
                spent=spent,
                checkpoint=checkpoint,
                progress=_of_all(progress, sum(head.steps for head in trained), left),
                watch=partial(watch, number),
            )
            record = {
                "head": trainer.head.state_dict(),
                "steps": trainer.steps,
                "state": asdict(trainer.state()),
                "seconds": seconds,
            }
            finished.append(record)
        trained.append(
            TrainedHead(
                head=trainer.head,
                healthy=trainer.healthy(),
                steps=record["steps"],
                state=TrainingState(**record["state"]),
                seconds=record["seconds"],
            )
        )
    return trained


def _of_all(progress: Progress, before: int, left: int) -> Progress:
    """The progress of one head as that of all, with ``left`` to train, this one among them."""

    def told(stage: str, done: int, total: int, **metrics: float) -> None:
        progress(stage, before + done, before + total * left, **metrics)

    return told


def _train(
    trainer: HeadTrainer,
    *,
    steps: int,
    budget: float | None,
    spent: float,
    checkpoint: Callable[[float], None],
    progress: Progress,
    watch: Callable[[HeadTrainer, float], None],
) -> float:
    """Trains a head, from where its trainer stands, and returns the seconds in all.

    Args:
        trainer: whose ``steps`` were done already.
        steps: length of the schedule, without a budget.
        budget: seconds that the schedule stretches over instead.
        spent: seconds of the budget that are used up.
        checkpoint: called with the seconds spent every so often, and when it is interrupted.
        progress: told of steps.
        watch: called after every step with where the training stands, 0 to 1.
    """
    began = time.monotonic() - spent
    saved = shown = 0.0
    try:
        while True:
            elapsed = time.monotonic() - began
            fraction = trainer.steps / steps if budget is None else elapsed / budget
            if fraction >= 1:
                break
            trainer.step(fraction)
            watch(trainer, fraction)
            if time.monotonic() - shown > _SECONDS_BETWEEN_FIGURES:
                state = trainer.state()
                shown = time.monotonic()
                total = steps if budget is None else round(trainer.steps / max(fraction, 1e-6))
                progress(
                    "training",
                    trainer.steps,
                    max(total, trainer.steps),
                    loss=state.loss,
                    median_px=state.median_error,
                    inliers=state.inlier_share,
                )
            if elapsed - saved > CHECKPOINT_SECONDS:
                saved = elapsed
                checkpoint(elapsed)
    except KeyboardInterrupt:
        checkpoint(time.monotonic() - began)
        raise
    watch(trainer, 1.0)
    progress("training", trainer.steps, trainer.steps)
    return time.monotonic() - began
