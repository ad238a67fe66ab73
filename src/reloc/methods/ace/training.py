"""The training of all heads of a map side by side, by steps or by the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.backbone import FeatureExtractor
from reloc.heads import Head
from reloc.heads.mlp import new_head
from reloc.methods.ace.options import MappingOptions, head_width
from reloc.methods.ace.regions import RegionFeatures
from reloc.methods.ace.trainer import HeadTrainer, TrainerOptions, TrainingState
from reloc.progress import Progress
from reloc.training import Every, train

_SECONDS_BETWEEN_FIGURES = 0.5


@dataclass(frozen=True)
class Learner:
    """A head in training and its region.

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


def new_trainers(
    regions: Sequence[RegionFeatures],
    extractor: FeatureExtractor,
    options: MappingOptions,
    *,
    depth: float,
    of: int,
) -> list[HeadTrainer]:
    """A new head for each region, with what trains it.

    Args:
        regions: what they learn from.
        extractor: gave the features.
        options: sizes of heads and batches.
        depth: typical depth of the scene, in scene units.
        of: heads that the place has, these among them; the more, the narrower.
    """
    width = options.width or head_width(of, channels=extractor.channels, blocks=options.blocks)

    def trainer_of(region: RegionFeatures) -> HeadTrainer:
        head = new_head(
            channels=extractor.channels,
            width=width,
            blocks=options.blocks,
            scale=depth,
            seed=options.seed,
        ).to(extractor.device)
        settings = TrainerOptions(batch=options.batch, seed=options.seed)
        return HeadTrainer(head, region.buffer, settings, amp=extractor.dtype)

    return [trainer_of(region) for region in regions]


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
