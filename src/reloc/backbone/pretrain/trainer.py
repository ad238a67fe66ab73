"""Training the backbone for an objective, with checkpoints that survive a kill."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reloc.backbone.network import ConvBackbone
from reloc.backbone.pretrain.objective import Batch, Objective
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.parallel import (
    average_gradients,
    place_among_processes,
    synchronise_norms,
)
from reloc.checkpoint import restored_step, save_checkpoint
from reloc.devices import training_dtype
from reloc.errors import OptionError, OutputError
from reloc.interruption import uninterrupted
from reloc.progress import Progress, silent


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


def pretrain(
    objective: Objective,
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
        objective: what to train for; its heads are trained along.
        options: sizes and schedule.
        checkpoint: file that training can be resumed from; written by the first process every so
            often, when training is interrupted and at its end.
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
    trained = nn.ModuleList([network, objective.heads.to(device)])
    # The average of the last few hundred steps; it is worth a longer training.
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimiser = torch.optim.AdamW(
        trained.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.steps, pct_start=0.08
    )
    parts: dict[str, Any] = {
        "trained": trained,
        "average": average,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    recipe = _recipe(objective, options)
    start = restored_step(checkpoint, recipe, parts) if resume else 0
    began = time.monotonic()
    steps = range(start, options.steps)
    amp = training_dtype(device)
    batches = _ahead(steps, lambda s: objective.batch(options, s, rank=rank, world=world))
    done = start

    def save() -> None:
        if rank == 0:
            states = {name: part.state_dict() for name, part in parts.items()}
            save_checkpoint(checkpoint, recipe, {"step": done, **states})

    try:
        for step, batch in zip(steps, batches, strict=True):
            batch = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
            with uninterrupted():
                with torch.autocast(device.type, amp, enabled=amp != torch.float32):
                    loss, correct = objective.loss(network, batch, options)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                average_gradients(trained)
                nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                average.update_parameters(network)
                done = step + 1
            last = done == options.steps
            if step % 20 == 0 or last:
                progress(
                    "pretraining",
                    done,
                    options.steps,
                    loss=loss.item(),
                    correct=correct.item(),
                    seconds=time.monotonic() - began,
                )
            if done % options.checkpoint_every == 0 or last:
                save()
    except (KeyboardInterrupt, OutputError):
        save()
        raise
    result = average.module
    assert isinstance(result, ConvBackbone)
    return result.cpu().fuse()


def _recipe(objective: Objective, options: PretrainOptions) -> dict[str, Any]:
    """What must be alike for a training to go on."""
    sizes = asdict(options)
    del sizes["checkpoint_every"]
    return {"objective": objective.name, **sizes}
