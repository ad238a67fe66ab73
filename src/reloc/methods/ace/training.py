"""The training of all heads of a map side by side, by steps or by the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.heads import Head
from reloc.methods.ace.trainer import HeadTrainer, TrainingState
from reloc.progress import Progress
from reloc.training import Every, train

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
class TrainingSnapshot:
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
    callback: Callable[[HeadTrainer, float], None],
) -> float:
    """Trains heads side by side; arguments and errors are those of ``training.train``."""
    return train(
        trainers,
        stage="training",
        steps=steps,
        budget=budget,
        stored=stored,
        save=save,
        progress=progress,
        # Asking for figures waits for the device.
        tell=Every(seconds=_SECONDS_BETWEEN_FIGURES),
        callback=callback,
        device=trainers[0].device,
    )
