"""Training the backbone: batches of pairs, InfoNCE, checkpoints that survive a kill."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc.backbone.network import ConvBackbone
from reloc.backbone.pretrain.contrastive import info_nce, sample_features
from reloc.backbone.pretrain.pairs import Pair, PairSource
from reloc.backbone.pretrain.parallel import (
    average_gradients,
    gathered,
    place_among_processes,
    synchronise_norms,
)
from reloc.errors import MapError, OptionError, SceneError
from reloc.files import atomic_file
from reloc.progress import Progress, silent


@dataclass(frozen=True)
class PretrainOptions:
    """How to train a backbone.

    Attributes:
        steps: optimiser steps.
        pairs: pairs of views per step.
        size: side of a view in pixels.
        points: correspondences per pair.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: AdamW's.
        temperature: of InfoNCE.
        channels: length of a feature.
        width: channels inside the network.
        seed: of weights and data.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 3000
    pairs: int = 12
    size: int = 224
    points: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    temperature: float = 0.06
    channels: int = 256
    width: int = 256
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.pairs) < 1 or self.size < 32 or self.seed < 0:
            raise OptionError(
                "steps and pairs must be at least 1, size at least 32 and seed not negative"
            )


@dataclass(frozen=True)
class WeightedSource:
    """A source of pairs and how often it is drawn, relative to the others."""

    source: PairSource
    weight: float


@dataclass(frozen=True)
class Batch:
    """Views (B, 1, S, S) in 0..1 and matching pixels (B, N, 2)."""

    first: Tensor
    second: Tensor
    pixels_first: Tensor
    pixels_second: Tensor


def make_batch(
    sources: Sequence[WeightedSource],
    options: PretrainOptions,
    step: int,
    *,
    rank: int = 0,
    world: int = 1,
) -> Batch:
    """The batch of a step, or a process's share of it; depends on the seed and the step alone.

    Raises:
        SceneError: no pair with matches enough was found.
    """
    weights = np.array([s.weight for s in sources])
    pairs: list[Pair] = []
    chosen = []
    for number in range(rank, options.pairs, world):
        rng = np.random.default_rng([options.seed, step, number])
        # A pair whose views hardly overlap teaches nothing: draw another.
        for _ in range(50):
            source = sources[rng.choice(len(sources), p=weights / weights.sum())].source
            pair = source.pair(int(rng.integers(2**62)))
            if (count := len(pair.pixels_first)) >= 32:
                break
        else:
            raise SceneError(
                "no two views of the training images overlap; give more or larger images"
            )
        pairs.append(pair)
        chosen.append(rng.choice(count, size=options.points, replace=count < options.points))

    def images(views: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255

    def pixels(positions: list[np.ndarray]) -> Tensor:
        rows = [p[c] for p, c in zip(positions, chosen, strict=True)]
        return torch.from_numpy(np.stack(rows)).float()

    return Batch(
        images([p.first for p in pairs]),
        images([p.second for p in pairs]),
        pixels([p.pixels_first for p in pairs]),
        pixels([p.pixels_second for p in pairs]),
    )


def _ahead(steps: range, build: Callable[[int], Batch]) -> Iterator[Batch]:
    """Builds batches in a thread, a few ahead of the training loop."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=4)

    def work() -> None:
        try:
            for step in steps:
                ready.put(build(step))
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=work, daemon=True).start()
    for _ in steps:
        item = ready.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def contrastive_step(
    network: nn.Module, batch: Batch, options: PretrainOptions
) -> tuple[Tensor, Tensor]:
    """Loss and share of correct nearest neighbours of one batch."""
    count = len(batch.first)
    views = torch.cat([batch.first, batch.second]).contiguous(memory_format=torch.channels_last)
    features = network(views).float()
    stride = views.shape[-1] // features.shape[-1]
    first = sample_features(features[:count], batch.pixels_first, stride=stride)
    second = sample_features(features[count:], batch.pixels_second, stride=stride)
    return info_nce(
        gathered(functional.normalize(first.flatten(0, 1), dim=1)),
        gathered(functional.normalize(second.flatten(0, 1), dim=1)),
        temperature=options.temperature,
    )


def pretrain(
    sources: Sequence[WeightedSource],
    options: PretrainOptions,
    *,
    checkpoint: Path,
    device: torch.device | str = "cpu",
    resume: bool = False,
    progress: Progress = silent,
) -> ConvBackbone:
    """Trains a backbone and returns it fused, ready to be saved.

    Under ``torchrun`` the pairs of each batch are shared among the processes; any number of them
    takes the same steps.

    Args:
        sources: where pairs come from.
        options: sizes and schedule.
        checkpoint: file that training can be resumed from; written by the first process.
        device: where to train.
        resume: go on from ``checkpoint`` if it is there.
        progress: told every step.

    Raises:
        MapError: the checkpoint is damaged or of another configuration.
        OptionError: the processes cannot share the pairs of a batch evenly.
    """
    device = torch.device(device)
    rank, world = place_among_processes()
    if options.pairs % world:
        raise OptionError(f"{options.pairs} pairs cannot be shared by {world} processes evenly")
    torch.manual_seed(options.seed)
    network = ConvBackbone(channels=options.channels, width=options.width)
    if world > 1:
        synchronise_norms(network)
    network.to(device).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # The average of the last few hundred steps; it is worth a longer training.
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.steps, pct_start=0.08
    )
    start = 0
    if resume and checkpoint.exists():
        start = _restore(checkpoint, options, network, average, optimiser, schedule)
    began = time.monotonic()
    steps = range(start, options.steps)
    for step, batch in zip(
        steps,
        _ahead(steps, lambda s: make_batch(sources, options, s, rank=rank, world=world)),
        strict=True,
    ):
        batch = Batch(**{k: v.to(device, non_blocking=True) for k, v in vars(batch).items()})
        with torch.autocast(device.type, torch.bfloat16):
            loss, correct = contrastive_step(network, batch, options)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        if step % 20 == 0 or step + 1 == options.steps:
            progress(
                "pretraining",
                step + 1,
                options.steps,
                loss=loss.item(),
                correct=correct.item(),
                seconds=time.monotonic() - began,
            )
        due = (step + 1) % options.checkpoint_every == 0 or step + 1 == options.steps
        if due and rank == 0:
            state = {
                "options": asdict(options),
                "step": step + 1,
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
            }
            with atomic_file(checkpoint) as file:
                torch.save(state, file)
    result = average.module
    assert isinstance(result, ConvBackbone)
    return result.cpu().fuse()


def _restore(
    checkpoint: Path,
    options: PretrainOptions,
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> int:
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        found = {k: v for k, v in state["options"].items() if k != "checkpoint_every"}
        wanted = {k: v for k, v in asdict(options).items() if k != "checkpoint_every"}
        if found != wanted:
            raise MapError(
                f"{checkpoint}: was made with other options; give the same ones or another folder"
            )
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        return int(state["step"])
    except MapError:
        raise
    except Exception as error:
        raise MapError(f"{checkpoint}: damaged checkpoint; remove it to start again") from error
