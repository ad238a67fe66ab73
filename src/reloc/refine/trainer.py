"""Training a head for the pose: whole views through differentiable RANSAC."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reloc.heads import Head
from reloc.pose.ransac import Matches, RansacOptions, RefineOptions, expected_pose_losses
from reloc.pose.ransac.matches import reprojection_errors
from reloc.refine.options import RefineMapOptions
from reloc.refine.views import Views

# Largest gradient of a view's loss by its scene coordinates, times the metre: beyond the median of
# trained maps, so that views whose cells hardly determine the pose do not drown out the others.
MAX_GRADIENT = 50.0
# Share of the training in which the learning rate rises: Adam's first steps are as long as its
# later ones while it hardly knows the gradient.
WARMUP = 0.1
# Of the refinement of hypotheses, in pixels of a view with a short side of 480.
PIXEL_SCALE = 4.0
# Of the reprojection error beside the pose, likewise: what is further off hardly pulls.
REPROJECTION_CLAMP = 20.0


class PoseTrainer:
    """Trains a head step by step on the expected pose loss (DSAC*, section 3.5).

    Beside it counts w tanh(e / w) of the reprojection errors e, as in mapping.

    The loop never waits for the device: the loss is read only when ``loss()`` is asked for.

    Args:
        head: is changed.
        views: what to train on.
        options: of the training.
        metre: what a metre is in scene units.
        short_side: of the views in pixels.
        amp: precision of the head's hidden layers.
    """

    def __init__(
        self,
        head: Head,
        views: Views,
        options: RefineMapOptions,
        *,
        metre: float,
        short_side: int,
        amp: torch.dtype,
    ) -> None:
        self.head = head.train().requires_grad_(True)
        self.views = views
        self.options = options
        self.metre = metre
        self.amp = amp
        self.device = views.rays.device
        self.steps = 0
        unit = short_side / 480
        self.clamp = REPROJECTION_CLAMP * unit
        self.ransac = RansacOptions(
            hypotheses=options.hypotheses,
            threshold=options.threshold * unit,
            refine=RefineOptions(pixel_scale=PIXEL_SCALE * unit),
        )
        self.optimiser = torch.optim.Adam(head.parameters(), lr=options.learning_rate)
        self._generator = torch.Generator(self.device)
        self._mean = torch.full((), -1.0, device=self.device)

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""
        for group in self.optimiser.param_groups:
            fall = 0.5 * (1 + math.cos(math.pi * fraction))
            group["lr"] = self.options.learning_rate * min(1.0, fraction / WARMUP + 0.01) * fall
        # Seeded by the step, so that a resumed training draws what it would have drawn.
        self._generator.manual_seed(self.options.seed * 1_000_003 + self.steps)
        chosen = torch.randint(
            len(self.views),
            (self.options.batch,),
            generator=self._generator,
            device=self.device,
        )
        pose_losses, reprojection = (losses.mean() for losses in self.losses(chosen))
        self.optimiser.zero_grad(set_to_none=True)
        (pose_losses + self.options.reprojection * reprojection).backward()
        self.optimiser.step()
        now = pose_losses.detach()
        self._mean = torch.where(self._mean < 0, now, self._mean.lerp(now, 0.05))
        self.steps += 1

    def losses(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Of some views, by their numbers (B,): expected pose losses and bounded errors (B,)."""
        views = self.views
        features = views.features[chosen]
        with torch.autocast(self.device.type, self.amp, enabled=self.amp != torch.float32):
            coordinates = self.head(features.flatten(0, 1).to(self.amp))
        coordinates = coordinates.float().view(*features.shape[:2], 3)
        usable, truth = views.usable[chosen], views.cam_from_world[chosen]
        matches = Matches(coordinates, views.rays[chosen], views.focals[chosen], usable)
        errors = reprojection_errors(truth[:, None], matches)[:, 0]
        bounded = self.clamp * torch.tanh(errors / self.clamp) * usable
        # A copy, whose gradient alone is bounded.
        for_pose = coordinates.clone()
        if for_pose.requires_grad:
            for_pose.register_hook(self._bounded)
        pose_losses = expected_pose_losses(
            replace(matches, scene_coordinates=for_pose),
            truth,
            options=self.ransac,
            metre=self.metre,
            generator=self._generator,
        )
        return pose_losses, bounded.sum(dim=1) / usable.sum(dim=1).clamp(min=1)

    def _bounded(self, gradients: Tensor) -> Tensor:
        """Gradients (B, K, 3) of the pose loss, those of each view no longer than is sensible."""
        lengths = gradients.norm(dim=(1, 2), keepdim=True)
        most = MAX_GRADIENT / self.metre / len(gradients)
        return gradients * (most / lengths.clamp(min=1e-12)).clamp(max=1.0)

    def loss(self) -> float:
        """Running mean of the loss; waits for the device."""
        return float(self._mean)

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return all(bool(torch.isfinite(p).all()) for p in self.head.parameters())

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "mean": self._mean,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._mean = state["mean"].to(self.device)
        self.steps = int(state["steps"])
