"""The training of all heads of a map side by side, until they are good or a limit is reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import FeatureExtractor
from reloc.devices import training_dtype
from reloc.heads import Head
from reloc.heads.mlp import new_head
from reloc.methods.ace.options import MappingOptions, head_width
from reloc.methods.ace.region_features import RegionFeatures
from reloc.methods.ace.stop_rule import StopRule
from reloc.methods.ace.trainer import HeadsTrainer, TrainerOptions, TrainingState
from reloc.progress import Progress
from reloc.restoring import fitting
from reloc.training import BEFORE_DECAY, Every, train
from reloc.untrusted import items

_SECONDS_BETWEEN_FIGURES = 0.5
# In a step of all heads that are trained together; at 112 wide their activations take 1 GiB.
MOST_FEATURES = 1 << 18

T = TypeVar("T")


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


def heads_together(device: torch.device, *, batch: int) -> int:
    """How many heads are trained by the same operations, at most.

    A processor is fastest with one at a time, whose activations stay in its caches, on each core.
    Any other device is fastest with all, as far as its memory goes.

    Args:
        device: where.
        batch: features of each head in a step.
    """
    return 1 if device.type == "cpu" else max(1, MOST_FEATURES // batch)


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

        def trainer_of(group: Sequence[RegionFeatures]) -> HeadsTrainer:
            head = new_head(
                channels=extractor.channels,
                width=width,
                blocks=options.blocks,
                scale=depth,
                seed=options.seed,
            )
            return HeadsTrainer(
                [head] * len(group),
                [region.buffer for region in group],
                settings,
                amp=training_dtype(extractor.device),
            )

        self._together = heads_together(extractor.device, batch=options.batch)
        self._trainers = [trainer_of(group) for group in self._grouped(self.regions)]

    @property
    def averages(self) -> tuple[Head, ...]:
        """Averages of the heads over their latest steps, one for each region.

        At a stable rate a head wanders about; by its average it shows how good it is.
        """
        return tuple(head for trainer in self._trainers for head in trainer.averages)

    def learn_from(self, regions: Sequence[RegionFeatures]) -> None:
        """Goes on with more features of the same regions."""
        for trainer, group in zip(self._trainers, self._grouped(regions), strict=True):
            trainer.learn_from([region.buffer for region in group])

    def _grouped(self, values: Sequence[T]) -> list[Sequence[T]]:
        """Values of all heads by those that are trained together."""
        return [
            values[first : first + self._together]
            for first in range(0, len(values), self._together)
        ]

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
        heads = tuple(head for trainer in trainers for head in trainer.heads)
        learners = tuple(
            Learner(head, region.origin, region.frames)
            for head, region in zip(heads, self.regions, strict=True)
        )

        def steps() -> int:
            return sum(trainer.steps * len(trainer.heads) for trainer in trainers)

        def watched(trainer: HeadsTrainer, fraction: float) -> None:
            if callback is not None:
                callback(TrainingSnapshot(learners, steps(), fraction, trainer.state))

        def told(stage: str, done: int, total: int, **figures: float) -> None:
            progress(stage, steps(), round(steps() * total / done) if done else total, **figures)

        def save_by_head(state: Mapping[str, Any]) -> None:
            # How heads are grouped depends on the device.
            save({**state, "trainers": [h for group in state["trainers"] for h in group["heads"]]})

        if stored:
            with fitting():
                parts = self._grouped(items(stored["trainers"], "heads", most=len(heads)))
                stored = {**stored, "trainers": [{"heads": part} for part in parts]}
        seconds = train(
            trainers,
            stage="training",
            steps=self._options.steps,
            budget=budget,
            stored=stored,
            save=save_by_head,
            progress=told,
            # Asking for figures waits for the device.
            tell=Every(seconds=_SECONDS_BETWEEN_FIGURES),
            callback=watched,
            device=self._device,
            rule=rule,
        )
        states = tuple(state for trainer in trainers for state in trainer.states())
        return TrainedHeads(heads, states, steps(), seconds)


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
