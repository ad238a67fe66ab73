"""Meta-training an adapter: an episode a step, checkpoints that survive a kill."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import torch.distributed as dist

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.meta.episode_loss import Episode, EpisodeFitOptions, alone, backward_episode
from reloc.backbone.meta.rooms import EpisodeOptions
from reloc.backbone.pretrain.parallel import place_among_processes
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.errors import OptionError
from reloc.interruption import uninterrupted
from reloc.progress import Progress, silent
from reloc.training import Every, OneCycleTrainer, seed_of_step, train

# Share of the steps in which the learning rate rises.
WARMUP = 0.1
STEPS_BETWEEN_FIGURES = 10


@dataclass(frozen=True)
class MetaOptions:
    """How to meta-train.

    Attributes:
        steps: optimiser steps, of one episode each.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: AdamW's.
        seed: of the episodes.
        episode: what an episode is made of.
        fit: the head that is fitted in it.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 1000
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    seed: int = 0
    episode: EpisodeOptions = field(default_factory=EpisodeOptions)
    fit: EpisodeFitOptions = field(default_factory=EpisodeFitOptions)
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seed < 0 or self.checkpoint_every < 1:
            raise OptionError("steps must be at least 1 and seed not negative")


class EpisodeSource(Protocol):
    """Makes episode number ``seed``; the same number gives the same episode."""

    def episode(self, seed: int, options: EpisodeOptions) -> Episode:
        """Makes the episode of that number."""


Validate = Callable[[ContextAdapter], Mapping[str, float]]


def meta_train(
    adapter: ContextAdapter,
    source: EpisodeSource,
    options: MetaOptions,
    *,
    checkpoint: Path,
    resume: bool = False,
    validate: Validate | None = None,
    progress: Progress = silent,
) -> None:
    """Trains an adapter in place.

    Under ``torchrun`` the images of an episode are shared among the processes, whose sums and
    gradients are added up, so that any number of them takes the same steps.

    Args:
        adapter: at its start; its inputs are stacked features.
        source: where episodes come from; the same in every process.
        options: sizes and schedule.
        checkpoint: file that training can be resumed from; written by the first process every so
            often, when training is interrupted and at its end.
        resume: go on from ``checkpoint`` if it is there.
        validate: asked for figures at every checkpoint, in the first process.
        progress: told every few steps.

    Raises:
        MapError: the checkpoint is damaged or of another configuration.
        SceneError: the training diverged.
    """
    rank, world = place_among_processes()
    trainer = AdapterTrainer(adapter, source, options, rank=rank, world=world)
    recipe = asdict(options)
    del recipe["checkpoint_every"]
    stored = load_checkpoint(checkpoint, recipe) if resume else None

    def validated() -> None:
        if rank == 0 and validate is not None:
            progress("validation", trainer.steps, options.steps, **validate(adapter))

    diverged = f"{checkpoint}: training diverged; start again with a smaller learning rate"
    with damage_named(checkpoint, diverged=diverged):
        train(
            [trainer],
            stage="meta-training",
            steps=options.steps,
            stored=stored,
            save=partial(save_checkpoint, checkpoint if rank == 0 else None, recipe),
            checkpoints=Every(steps=options.checkpoint_every),
            progress=progress if rank == 0 else silent,
            tell=Every(steps=STEPS_BETWEEN_FIGURES),
            validate=validated,
        )


class AdapterTrainer(OneCycleTrainer):
    """Trains an adapter, an episode a step; see ``training.Trainer``.

    Args:
        adapter: is changed.
        source: of the episodes.
        options: sizes and schedule.
        rank: number of this process.
        world: processes that share an episode.
    """

    def __init__(
        self,
        adapter: ContextAdapter,
        source: EpisodeSource,
        options: MetaOptions,
        *,
        rank: int,
        world: int,
    ) -> None:
        self.adapter = adapter
        self.source = source
        self.options = options
        self._rank, self._world = rank, world
        super().__init__(
            adapter,
            parts={"adapter": adapter},
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            steps=options.steps,
            warmup=WARMUP,
        )
        self._loss = self._mean = math.nan

    def step(self, fraction: float) -> None:
        """The next step; the schedule goes by steps alone."""
        options = self.options
        episode = self.source.episode(seed_of_step(options.seed, self.steps), options.episode)
        self.zero_grad()
        loss = float(
            backward_episode(
                self.adapter,
                episode,
                options.fit,
                rank=self._rank,
                world=self._world,
                reduce=dist.all_reduce if self._world > 1 else alone,
            )
        )
        self.clip()
        # An episode may take long, and until here it has changed nothing that is kept.
        with uninterrupted():
            self.advance()
            self._loss = loss
            self._mean = loss if math.isnan(self._mean) else 0.95 * self._mean + 0.05 * loss

    def metrics(self) -> dict[str, float]:
        """Loss of the latest step, and its running mean in this process."""
        return {"loss": self._loss, "mean_loss": self._mean}
