"""Meta-training an adapter: an episode a step, checkpoints that survive a kill."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import nn

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.meta.episode_loss import Episode, FitOptions, alone, backward_episode
from reloc.backbone.meta.rooms import EpisodeOptions
from reloc.backbone.pretrain.parallel import place_among_processes
from reloc.checkpoint import restored_step, save_checkpoint
from reloc.errors import OptionError, OutputError
from reloc.interruption import uninterrupted
from reloc.progress import Progress, silent


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
    fit: FitOptions = field(default_factory=FitOptions)
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seed < 0 or self.checkpoint_every < 1:
            raise OptionError("steps must be at least 1 and seed not negative")


class EpisodeSource(Protocol):
    """Makes episode number ``seed``; the same number gives the same episode."""

    def episode(self, seed: int, options: EpisodeOptions) -> Episode: ...


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
    """
    rank, world = place_among_processes()
    optimiser = torch.optim.AdamW(
        adapter.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.steps, pct_start=0.1
    )
    parts: dict[str, Any] = {"adapter": adapter, "optimiser": optimiser, "schedule": schedule}
    recipe = asdict(options)
    del recipe["checkpoint_every"]
    start = restored_step(checkpoint, recipe, parts) if resume else 0
    running: float | None = None
    done = start

    def save() -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        save_checkpoint(checkpoint, recipe, {"step": done, **states})

    try:
        for step in range(start, options.steps):
            episode = source.episode(options.seed * 1_000_003 + step, options.episode)
            optimiser.zero_grad(set_to_none=True)
            loss = float(
                backward_episode(
                    adapter,
                    episode,
                    options.fit,
                    rank=rank,
                    world=world,
                    reduce=dist.all_reduce if world > 1 else alone,
                )
            )
            nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
            # An episode may take long, and until here it has changed nothing that is kept.
            with uninterrupted():
                optimiser.step()
                schedule.step()
                done = step + 1
            running = loss if running is None else 0.95 * running + 0.05 * loss
            last = done == options.steps
            if rank == 0 and (step % 10 == 0 or last):
                progress("meta-training", done, options.steps, loss=loss, mean_loss=running)
            if rank == 0 and (done % options.checkpoint_every == 0 or last):
                save()
                if validate is not None:
                    progress("validation", done, options.steps, **validate(adapter))
    except (KeyboardInterrupt, OutputError):
        if rank == 0:
            save()
        raise
