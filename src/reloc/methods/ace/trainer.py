"""Training a head on a feature buffer."""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reloc.heads import Head
from reloc.interruption import uninterrupted
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.loss import curriculum, mapping_loss
from reloc.methods.ace.optimizer import Muon
from reloc.restoring import like, restore, stored_steps
from reloc.training import (
    BEFORE_DECAY,
    finite,
    seed_of_step,
    set_learning_rates,
    stable_then_falling,
)

# The average of the weights of the latest steps (Shamir and Zhang, 2013): how often it is renewed,
# and the power of the step by which the latest count more.
AVERAGE_EVERY, AVERAGE_POWER = 4, 10


@dataclass(frozen=True)
class TrainerOptions:
    """How a head is trained.

    Attributes:
        batch: features per step.
        learning_rate: peak for the matrices (Muon).
        momentum: of Muon; short trainings want it low.
        point_learning_rate: peak for biases and the last layer (AdamW).
        warmup: steps in which the learning rate rises.
        stable: where in the curriculum of the loss a training stands until its rates fall.
        clamp_start: w of the loss at the beginning, in pixels, at least.
        clamp_follow: w begins at no less than this many times the running median error, so that a
            scene on which an untrained head errs by hundreds of pixels still gets a gradient.
        clamp_end: w at the end, in pixels.
        seed: of weights and batches.
    """

    batch: int = 3072
    learning_rate: float = 0.05
    momentum: float = 0.9
    point_learning_rate: float = 3e-3
    warmup: int = 100
    stable: float = 0.6
    clamp_start: float = 50.0
    clamp_follow: float = 2.0
    clamp_end: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class TrainingState:
    """Figures of the latest step.

    Attributes:
        loss: mean over the batch, pixels.
        median_error: running median of the reprojection error, pixels.
        inlier_share: points of the batch within 10 pixels.
    """

    loss: float
    median_error: float
    inlier_share: float


class HeadTrainer:
    """Trains a head step by step; where in the schedule a step stands is told by the caller.

    The loop never waits for the device: figures are read only when ``state()`` is asked for.
    """

    def __init__(
        self, head: Head, buffer: FeatureBuffer, options: TrainerOptions, *, amp: torch.dtype
    ) -> None:
        self.head = head
        self.buffer = buffer
        self.options = options
        self.amp = amp
        self.device = buffer.rays.device
        self.steps = 0
        # What the head would about be if its rates fell now.
        self.average = deepcopy(head).requires_grad_(False).eval()
        # The output layer maps to metres, not to another hidden layer: Adam suits it better.
        matrices = [p for n, p in head.named_parameters() if p.ndim == 2 and "point" not in n]
        others = [p for n, p in head.named_parameters() if p.ndim != 2 or "point" in n]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=options.learning_rate, momentum=options.momentum, every=2),
            torch.optim.AdamW(others, lr=options.point_learning_rate, weight_decay=0.01),
        ]
        self._peaks = [options.learning_rate, options.point_learning_rate]
        self._median = torch.full((), -1.0, device=self.device)
        self._generator = torch.Generator(self.device)
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""
        rate = stable_then_falling(fraction, steps=self.steps, warmup=self.options.warmup)
        set_learning_rates(self.optimizers, self._peaks, rate)
        options, buffer = self.options, self.buffer
        falling = max(0.0, (fraction - BEFORE_DECAY) / (1 - BEFORE_DECAY))
        at = options.stable + (1 - options.stable) * falling
        self._generator.manual_seed(seed_of_step(options.seed, self.steps))
        features, rays, focals, inverse_depths, cam_from_world = buffer.batch(
            buffer.drawn(options.batch, self._generator)
        )
        start = (self._median * options.clamp_follow).clamp(min=options.clamp_start)
        # curriculum() is linear in its start, which lives on the device.
        clamp = options.clamp_end + start * curriculum(at, start=1.0, end=0.0)
        amp = self.amp != torch.float32
        with torch.autocast(self.device.type, self.amp, enabled=amp):
            coordinates = self.head(features.to(self.amp))
        terms = mapping_loss(
            coordinates.float(),
            rays,
            focals,
            cam_from_world,
            inverse_depths=inverse_depths,
            clamp=clamp,
            scale=self.head.scale,
        )
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        terms.loss.backward()
        with uninterrupted():
            for optimizer in self.optimizers:
                optimizer.step()
            median = terms.errors.median()
            self._median = torch.where(self._median < 0, median, self._median.lerp(median, 0.1))
            self._last = (terms.loss.detach(), (terms.errors < 10).float().mean())
            self.steps += 1
            if self.steps % AVERAGE_EVERY == 0:
                self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the average to the head: the last tenth of the steps has most of the weight."""
        share = min(1.0, AVERAGE_EVERY * AVERAGE_POWER / (self.steps + AVERAGE_POWER))
        own: list[Tensor] = list(self.average.parameters())
        latest: list[Tensor] = list(self.head.parameters())
        torch._foreach_lerp_(own, latest, share)

    def metrics(self) -> dict[str, float]:
        """Figures of the latest step as progress tells them; waits for the device."""
        state = self.state()
        return {
            "loss": state.loss,
            "median_px": state.median_error,
            "inliers": state.inlier_share,
        }

    def state(self) -> TrainingState:
        """Figures of the latest step; waits for the device."""
        if self._last is None:
            return TrainingState(math.nan, math.nan, 0.0)
        return TrainingState(float(self._last[0]), float(self._median), float(self._last[1]))

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return finite(self.head)

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "head": self.head.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimizers],
            "median": self._median,
            "last": self._last,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        restore(self.head, state["head"])
        restore(self.average, state["average"])
        for optimizer, stored in zip(self.optimizers, state["optimisers"], strict=True):
            restore(optimizer, stored)
        self._median = like(state["median"], self._median).to(self.device)
        # Older checkpoints have no figures of their latest step.
        if (last := state.get("last")) is not None:
            loss, share = last
            self._last = like(loss, self._median), like(share, self._median)
        self.steps = stored_steps(state["steps"])
