"""Training the backbone for an objective, with checkpoints that survive a kill."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reloc.backbone.network import ConvBackbone
from reloc.backbone.pretrain.objective import Batch, Objective
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.parallel import (
    average_gradients,
    place_among_processes,
    synchronize_norms,
)
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import to_device, training_dtype
from reloc.errors import OptionError
from reloc.interruption import uninterrupted
from reloc.prefetching import prefetched
from reloc.progress import Progress, silent
from reloc.training import Every, OneCycleTrainer, drawn_from, train

# Share of the steps in which the learning rate rises.
WARMUP = 0.08
# Asking for figures waits for the device.
STEPS_BETWEEN_FIGURES = 20
# Batches that are made while those before them are trained on.
AHEAD = 4


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
        SceneError: the training diverged, or its images yield no batch.
        OptionError: the processes cannot share the pairs of a batch evenly.
    """
    device = torch.device(device)
    rank, world = place_among_processes()
    if options.pairs % world:
        raise OptionError(f"{options.pairs} pairs cannot be shared by {world} processes evenly")
    trainer = BackboneTrainer(objective, options, device=device, rank=rank, world=world)
    recipe = _recipe(objective, options)
    stored = load_checkpoint(checkpoint, recipe) if resume else None
    diverged = f"{checkpoint}: training diverged; start again with another seed"
    with damage_named(checkpoint, diverged=diverged), closing(trainer):
        train(
            [trainer],
            stage="pretraining",
            steps=options.steps,
            stored=stored,
            save=partial(save_checkpoint, checkpoint if rank == 0 else None, recipe),
            checkpoints=Every(steps=options.checkpoint_every),
            progress=progress,
            tell=Every(steps=STEPS_BETWEEN_FIGURES),
        )
    return trainer.result()


class BackboneTrainer(OneCycleTrainer):
    """Trains a backbone on the batches of an objective; see ``training.Trainer``.

    Args:
        objective: what to train for; its heads are trained along.
        options: sizes and schedule.
        device: where to train.
        rank: number of this process.
        world: processes that share a batch.
    """

    def __init__(
        self,
        objective: Objective,
        options: PretrainOptions,
        *,
        device: torch.device,
        rank: int,
        world: int,
    ) -> None:
        self.objective = objective
        self.options = options
        self.device = device
        self._share = {"rank": rank, "world": world}
        with drawn_from(options.seed):
            network = ConvBackbone(channels=options.channels, width=options.width)
        if world > 1:
            synchronize_norms(network)
        network.to(device).train()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        # The average of the last few hundred steps; it is worth a longer training.
        self.average = torch.optim.swa_utils.AveragedModel(
            network,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998),
            use_buffers=True,
        )
        trained = nn.ModuleList([network, objective.heads.to(device)])
        super().__init__(
            trained,
            parts={"trained": trained, "average": self.average},
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            steps=options.steps,
            warmup=WARMUP,
        )
        self._thread = ExitStack()
        self._batches: Iterator[tuple[int, Future[Batch]]] | None = None
        self._began = time.monotonic()
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, fraction: float) -> None:
        """The next step; the schedule goes by steps alone."""
        if self._batches is None:
            self._began = time.monotonic()
            steps = range(self.steps, self.options.steps)
            making = prefetched(self._batch, steps, ahead=AHEAD, workers=1)
            self._batches = self._thread.enter_context(making)
        _, job = next(self._batches)
        batch = {k: to_device(v, self.device) for k, v in job.result().items()}
        amp = training_dtype(self.device)
        # Whole, for the network's running statistics change with its first use.
        with uninterrupted():
            with torch.autocast(self.device.type, amp, enabled=amp != torch.float32):
                loss, correct = self.objective.loss(self.network, batch, self.options)
            self.zero_grad()
            loss.backward()
            average_gradients(self.trained)
            self.clip()
            self.advance()
            self.average.update_parameters(self.network)
            self._last = loss.detach(), correct

    def close(self) -> None:
        """Ends the making of batches ahead of the steps."""
        self._thread.close()

    def _batch(self, step: int) -> Batch:
        return self.objective.batch(self.options, step, **self._share)

    def metrics(self) -> dict[str, float]:
        """Figures of the latest step; waits for the device."""
        assert self._last is not None
        loss, correct = self._last
        figures = {"loss": loss.item(), "correct": correct.item()}
        return {**figures, "seconds": time.monotonic() - self._began}

    def result(self) -> ConvBackbone:
        """The average, fused, on the processor."""
        network = self.average.module
        assert isinstance(network, ConvBackbone)
        return network.cpu().fuse()


def _recipe(objective: Objective, options: PretrainOptions) -> dict[str, Any]:
    """What must be alike for a training to go on."""
    sizes = asdict(options)
    del sizes["checkpoint_every"]
    return {"objective": objective.name, **sizes}
