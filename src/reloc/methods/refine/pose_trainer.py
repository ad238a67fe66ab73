"""Training for the pose: whole views through differentiable RANSAC."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from reloc.interruption import uninterrupted
from reloc.methods.refine.options import RefineMapOptions
from reloc.pose.ransac import Matches, RansacOptions, RefineOptions, expected_pose_losses
from reloc.pose.ransac.matches import reprojection_errors
from reloc.restoring import like, restore, stored_steps
from reloc.training import cosine_under_warmup, finite, seed_of_step, set_learning_rates

# What networks see in some views and the poses (B, 3, 4) cam_from_world of these, as a function of
# the step and of chance.
Draw = Callable[[int, torch.Generator], tuple[Matches, Tensor]]

# Largest gradient of a view's loss by its scene coordinates, times the metre: beyond the median of
# trained maps, so that views whose cells hardly determine the pose do not drown out the others.
MAX_GRADIENT = 50.0
# Of the expected pose loss of a view, which is about degrees plus centimetres: where no hypothesis
# comes near, the gradient is noise.
POSE_CLAMP = 20.0
# Share of the training in which the learning rate rises: Adam's first steps are as long as its
# later ones while it hardly knows the gradient.
WARMUP = 0.1
# Of the refinement of hypotheses, in pixels of a view with a short side of 480.
PIXEL_SCALE = 4.0
# Of the reprojection error beside the pose, likewise: what is further off hardly pulls.
REPROJECTION_CLAMP = 20.0


class PoseTrainer:
    """Trains networks step by step on the expected pose loss (DSAC*, section 3.5).

    Beside it count reprojection errors. Both are bounded, as errors are in mapping: x becomes
    w tanh(x / w).

    The loop never waits for the device: the loss is read only when ``loss()`` is asked for.

    Args:
        networks: are changed, each at its own learning rate.
        draw: what they see in the views of a step.
        options: of the training.
        meter: what a metre is in scene units.
        short_side: of the views in pixels.
        device: where the networks are.
    """

    def __init__(
        self,
        networks: Sequence[tuple[nn.Module, float]],
        draw: Draw,
        options: RefineMapOptions,
        *,
        meter: float,
        short_side: int,
        device: torch.device,
    ) -> None:
        self.networks = nn.ModuleList(
            network.train().requires_grad_(True) for network, _ in networks
        )
        self.rates = [rate for _, rate in networks]
        self.draw = draw
        self.options = options
        self.meter = meter
        self.device = device
        self.steps = 0
        unit = short_side / 480
        self.clamp = REPROJECTION_CLAMP * unit
        self.ransac = RansacOptions(
            hypotheses=options.hypotheses,
            threshold=options.threshold * unit,
            refine=RefineOptions(pixel_scale=PIXEL_SCALE * unit),
        )
        self.optimizer = torch.optim.Adam([{"params": n.parameters()} for n in self.networks])
        self._generator = torch.Generator(device)
        self._mean = torch.full((), -1.0, device=device)

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""
        rate = cosine_under_warmup(fraction, warmup=WARMUP)
        set_learning_rates([self.optimizer], self.rates, rate)
        self._generator.manual_seed(seed_of_step(self.options.seed, self.steps))
        drawn = self.draw(self.steps, self._generator)
        pose_losses, reprojection = (losses.mean() for losses in self.losses(*drawn))
        self.optimizer.zero_grad(set_to_none=True)
        (pose_losses + self.options.reprojection * reprojection).backward()
        with uninterrupted():
            self.optimizer.step()
            now = pose_losses.detach()
            self._mean = torch.where(self._mean < 0, now, self._mean.lerp(now, 0.05))
            self.steps += 1

    def losses(self, matches: Matches, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Expected pose losses and reprojection errors (B,) of some views, both bounded.

        Args:
            matches: what the networks see in them.
            truth: (B, 3, 4) their poses, cam_from_world.
        """
        errors = reprojection_errors(truth[:, None], matches)[:, 0]
        bounded = self.clamp * torch.tanh(errors / self.clamp) * matches.usable
        # A copy, whose gradient alone is bounded.
        for_pose = matches.scene_coordinates.clone()
        if for_pose.requires_grad:
            for_pose.register_hook(self._bounded)
        pose_losses = expected_pose_losses(
            replace(matches, scene_coordinates=for_pose),
            truth,
            options=self.ransac,
            meter=self.meter,
            generator=self._generator,
        )
        pose_losses = POSE_CLAMP * torch.tanh(pose_losses / POSE_CLAMP)
        return pose_losses, bounded.sum(dim=1) / matches.usable.sum(dim=1).clamp(min=1)

    def _bounded(self, gradients: Tensor) -> Tensor:
        """Gradients (B, K, 3) of the pose loss, those of each view no longer than is sensible."""
        lengths = gradients.norm(dim=(1, 2), keepdim=True)
        most = MAX_GRADIENT / self.meter / len(gradients)
        return gradients * (most / lengths.clamp(min=1e-12)).clamp(max=1.0)

    def loss(self) -> float:
        """Running mean of the bounded pose loss; waits for the device."""
        return float(self._mean)

    def metrics(self) -> dict[str, float]:
        """The running mean for progress; waits for the device."""
        return {"loss": self.loss()}

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return finite(self.networks)

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "networks": self.networks.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "mean": self._mean,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        restore(self.networks, state["networks"])
        restore(self.optimizer, state["optimiser"])
        self._mean = like(state["mean"], self._mean).to(self.device)
        self.steps = stored_steps(state["steps"])
