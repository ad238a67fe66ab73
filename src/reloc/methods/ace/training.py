"""The training of all heads of a map side by side, until they are good or a limit is reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.backbone import FeatureExtractor
from reloc.devices import training_dtype
from reloc.heads import Head
from reloc.heads.mlp import new_head
from reloc.methods.ace.options import MappingOptions, head_width
from reloc.methods.ace.region_features import RegionFeatures
from reloc.methods.ace.stop_rule import StopRule
from reloc.methods.ace.trainer import HeadTrainer, TrainerOptions, TrainingState
from reloc.progress import Progress
from reloc.training import BEFORE_DECAY, Every, train

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
        fraction: of the training, 0 to 1, as if it went on to its limit; where it ends earlier, it
            moves on to 0.75 at once.
        state: figures of the step; asking for them waits for the device.
    """

    learners: tuple[Learner, ...]
    steps: int
    fraction: float
    state: Callable[[], TrainingState]


@dataclass(frozen=True)
class TrainedHeads:
    """What a training gave.

    Attributes:
        heads: one for each region.
        states: figures of their latest steps.
        steps: of all heads together.
        seconds: of the training, those of interrupted runs among them.
    """

    heads: tuple[Head, ...]
    states: tuple[TrainingState, ...]
    steps: int
    seconds: float


class HeadsTraining:
    """Heads that are trained side by side.

    Args:
        regions: what they learn from.
        extractor: gave the features.
        options: sizes of heads and batches; steps of each head at most, unless there is a budget.
        depth: typical depth of the scene, in scene units.
        of: heads that the place has, these among them; the more, the narrower.
    """

    def __init__(
        self,
        regions: Sequence[RegionFeatures],
        extractor: FeatureExtractor,
        options: MappingOptions,
        *,
        depth: float,
        of: int,
    ) -> None:
        self.regions = tuple(regions)
        self._options = options
        self._device = extractor.device
        width = options.width or head_width(of, channels=extractor.channels, blocks=options.blocks)
        settings = TrainerOptions(batch=options.batch, seed=options.seed)

        def trainer_of(region: RegionFeatures) -> HeadTrainer:
            head = new_head(
                channels=extractor.channels,
                width=width,
                blocks=options.blocks,
                scale=depth,
                seed=options.seed,
            )
            amp = training_dtype(extractor.device)
            return HeadTrainer(head.to(extractor.device), region.buffer, settings, amp=amp)

        self._trainers = [trainer_of(region) for region in regions]

    @property
    def averages(self) -> tuple[Head, ...]:
        """Averages of the heads over their latest steps, one for each region.

        At a stable rate a head wanders about; by its average it shows how good it is.
        """
        return tuple(trainer.average for trainer in self._trainers)

    def learn_from(self, regions: Sequence[RegionFeatures]) -> None:
        """Goes on with more features of the same regions."""
        for trainer, region in zip(self._trainers, regions, strict=True):
            trainer.buffer = region.buffer

    def run(
        self,
        *,
        budget: float | None,
        rule: "GrowingRule | None",
        stored: Mapping[str, Any] | None,
        save: Callable[[Mapping[str, Any]], None],
        progress: Progress,
        callback: Callable[[TrainingSnapshot], None] | None,
    ) -> TrainedHeads:
        """Trains the heads to the end.

        Args:
            budget: seconds that the training may take, in place of the steps of the options.
            rule: ends it earlier.
            stored: what ``save`` was given last by a training that was interrupted.
            save: keeps the state that it is given.
            progress: told of the steps of all heads together.
            callback: called after every step.

        Raises:
            UnfitState: ``stored`` is none of such a training.
            Diverged: weights are no longer finite; found when the state is to be saved.
        """
        trainers = self._trainers
        learners = tuple(
            Learner(trainer.head, region.origin, region.frames)
            for trainer, region in zip(trainers, self.regions, strict=True)
        )

        def watched(trainer: HeadTrainer, fraction: float) -> None:
            if callback is not None:
                steps = sum(trainer.steps for trainer in trainers)
                callback(TrainingSnapshot(learners, steps, fraction, trainer.state))

        seconds = train(
            trainers,
            stage="training",
            steps=self._options.steps,
            budget=budget,
            stored=stored,
            save=save,
            progress=progress,
            # Asking for figures waits for the device.
            tell=Every(seconds=_SECONDS_BETWEEN_FIGURES),
            callback=watched,
            device=self._device,
            rule=rule,
        )
        return TrainedHeads(
            tuple(trainer.head for trainer in trainers),
            tuple(trainer.state() for trainer in trainers),
            sum(trainer.steps for trainer in trainers),
            seconds,
        )


class GrowingRule:
    """A rule for the end of a training that gets more features before it goes on.

    Args:
        rule: says whether it is to end.
        grow: called with the steps of each head that the features have to do for.
    """

    def __init__(self, rule: StopRule, grow: Callable[[float], None]) -> None:
        self._rule = rule
        self._grow = grow

    def next_check(self) -> int | None:
        """Steps of each trainer after which it wants to be asked next."""
        return self._rule.next_check()

    def reached(self) -> bool:
        """Whether the training is to end."""
        made = self._rule.next_check()
        ended = self._rule.reached()
        following = made if ended else self._rule.next_check()
        if following is not None:
            self._grow(following / BEFORE_DECAY)
        return ended

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return self._rule.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        self._rule.load_state_dict(state)
