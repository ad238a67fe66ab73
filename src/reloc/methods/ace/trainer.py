"""Training heads of one size on a feature buffer, all with the same steps."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from reloc.heads import MlpHead
from reloc.heads.stacked import StackedMlps
from reloc.interruption import uninterrupted
from reloc.methods.ace.batches import Batch, BatchSampler
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.loss import LossTerms, curriculum, mapping_loss
from reloc.methods.ace.optimizer import AdamW, Muon
from reloc.restoring import like, stored_steps
from reloc.training import BEFORE_DECAY, stable_then_falling
from reloc.training.replay import Replayed

# The average of the weights of the latest steps (Shamir and Zhang, 2013): how often it is renewed,
# and the power of the step by which the latest count more.
AVERAGE_EVERY, AVERAGE_POWER = 4, 10
# Steps that a direction of Muon serves: momentum turns slowly, and orthogonal factors are costly.
RENEW_EVERY = 2


@dataclass(frozen=True)
class TrainerOptions:
    """How heads are trained.

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
        seed: of batches.
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
    """Figures of the latest step of a head.

    Attributes:
        loss: mean over the batch, pixels.
        median_error: running median of the reprojection error, pixels.
        inlier_share: points of the batch within 10 pixels.
    """

    loss: float
    median_error: float
    inlier_share: float


class HeadsTrainer:
    """Trains heads step by step; where in the schedule a step stands is told by the caller.

    A step of all heads is one set of operations on their stacked weights. It never waits for the
    device: what changes from step to step is in tensors there, and figures are read only when
    ``states()`` is asked for.

    Args:
        heads: of one size; their weights are where the training begins.
        buffers: what each of them learns from; they share one memory.
        options: how they are trained.
        amp: precision of the products.

    Attributes:
        heads: as they are now.
        averages: what the heads would about be if their rates fell now.
        options: how they are trained.
        sampler: draws what they learn from.
        steps: made so far.
    """

    def __init__(
        self,
        heads: Sequence[MlpHead],
        buffers: Sequence[FeatureBuffer],
        options: TrainerOptions,
        *,
        amp: torch.dtype,
    ) -> None:
        self.steps = 0
        self.options, self._amp = options, amp
        device = buffers[0].seen.device
        self._heads = StackedMlps.of(heads).mapped(lambda part: part.to(device))
        self._average = self._heads.mapped(torch.clone)
        self.heads, self.averages = self._heads.heads(), self._average.heads()
        self._weights = [weight.requires_grad_() for weight in self._heads.trained()]
        # The output layer maps to metres, not to another hidden layer: Adam suits it better.
        self._muon = Muon(self._weights[:2], momentum=options.momentum)
        self._adam = AdamW(self._weights[2:])
        # Of the schedule, and of the latest step of each head.
        self._rate, self._point_rate, self._softness = torch.zeros(3, device=device)
        self._median = torch.full((len(heads),), -1.0, device=device)
        self._loss = torch.full_like(self._median, math.nan)
        self._inliers = torch.zeros_like(self._median)
        self.learn_from(buffers)

    def learn_from(self, buffers: Sequence[FeatureBuffer]) -> None:
        """Goes on with other features of the same heads."""
        options = self.options
        self.sampler = BatchSampler(buffers, size=options.batch, seed=options.seed)
        self._numbers = torch.empty_like(self.sampler.numbers(self.steps))
        # Features that come from the host come by its own work, which no graph repeats.
        self._advance = {
            renew: Replayed(partial(self._work, renew=renew), self._numbers.device)
            for renew in (True, False)
        }

    def step(self, fraction: float) -> None:
        """One step of all heads at a fraction, 0 to 1, of the whole training."""
        options = self.options
        rate = stable_then_falling(fraction, steps=self.steps, warmup=options.warmup)
        falling = max(0.0, (fraction - BEFORE_DECAY) / (1 - BEFORE_DECAY))
        at = options.stable + (1 - options.stable) * falling
        with uninterrupted():
            self._rate.fill_(options.learning_rate * rate)
            self._point_rate.fill_(options.point_learning_rate * rate)
            self._softness.fill_(curriculum(at, start=1.0, end=0.0))
            self._numbers.copy_(self.sampler.numbers(self.steps))
            self._advance[self.steps % RENEW_EVERY == 0]()
            self.steps += 1
            if self.steps % AVERAGE_EVERY == 0:
                self._follow()

    def _work(self, *, renew: bool) -> None:
        """What a step does on the device; nothing in it depends on the host."""
        terms = self._losses(self.sampler.batch(self._numbers))
        gradients = torch.autograd.grad(terms.loss.sum(), self._weights)
        self._muon.step(gradients[:2], rate=self._rate, renew=renew)
        self._adam.step(gradients[2:], rate=self._point_rate)
        median = terms.errors.median(dim=-1).values
        followed = self._median.lerp(median, 0.1)
        self._median.copy_(torch.where(self._median < 0, median, followed))
        self._loss.copy_(terms.loss.detach())
        self._inliers.copy_((terms.errors < 10).float().mean(dim=-1))

    def _losses(self, batch: Batch) -> LossTerms:
        """Of each head."""
        options = self.options
        start = (self._median * options.clamp_follow).clamp(min=options.clamp_start)
        clamp = options.clamp_end + start * self._softness
        return mapping_loss(
            self._heads(batch.features.to(self._amp)),
            batch.rays,
            batch.focals,
            batch.cam_from_world,
            inverse_depths=batch.inverse_depths,
            clamp=clamp[:, None],
            scale=self._heads.scale[:, None],
        )

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the averages to the heads: the last tenth of the steps has most of the weight."""
        share = min(1.0, AVERAGE_EVERY * AVERAGE_POWER / (self.steps + AVERAGE_POWER))
        torch._foreach_lerp_(self._average.trained(), self._weights, share)

    def metrics(self) -> dict[str, float]:
        """Figures of the latest step as progress tells them; waits for the device."""
        state = self.state()
        return {
            "loss": state.loss,
            "median_px": state.median_error,
            "inliers": state.inlier_share,
        }

    def state(self) -> TrainingState:
        """Means over the heads of figures of the latest step; waits for the device."""
        return TrainingState(*map(fmean, zip(*map(astuple, self.states()), strict=True)))

    def states(self) -> tuple[TrainingState, ...]:
        """Figures of the latest step of each head; waits for the device."""
        figures = torch.stack([self._loss, self._median, self._inliers], dim=1)
        return tuple(TrainingState(*row) for row in figures.tolist())

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return bool(torch.stack([weight.isfinite().all() for weight in self._weights]).all())

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on, for each head by itself."""
        return {
            "heads": [
                {"steps": self.steps}
                | {name: [part[number] for part in parts] for name, parts in self._memory().items()}
                for number in range(len(self.heads))
            ]
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        for number, stored in zip(range(len(self.heads)), state["heads"], strict=True):
            self.steps = stored_steps(stored["steps"])
            for name, parts in self._memory().items():
                for part, value in zip(parts, stored[name], strict=True):
                    part[number].copy_(like(value, part[number]))
        self._adam.count.fill_(self.steps)

    def _memory(self) -> dict[str, Sequence[Tensor]]:
        """What changes from step to step, each with a row for every head."""
        return {
            "weights": [weight.detach() for weight in self._weights],
            "average": self._average.trained(),
            "velocities": self._muon.velocities,
            "directions": self._muon.directions,
            "means": self._adam.means,
            "squares": self._adam.squares,
            "figures": [self._median, self._loss, self._inliers],
        }
