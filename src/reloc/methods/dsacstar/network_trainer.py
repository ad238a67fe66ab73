"""Training a whole network on one scene: cells first, then the pose (DSAC*, section 3)."""

from typing import Any

import torch
from torch import Tensor

from reloc.interruption import uninterrupted
from reloc.methods.dsacstar.loss import LossScale, initial_loss
from reloc.methods.dsacstar.options import DsacStarOptions
from reloc.methods.refine.images import Cells
from reloc.methods.refine.pose_trainer import PIXEL_SCALE
from reloc.methods.refine.scene_network import SceneNetwork, drawn_matches
from reloc.pose.ransac import RansacOptions, RefineOptions, expected_pose_losses
from reloc.restoring import MAX_STEPS, like, restore, stored_steps
from reloc.training import finite, seed_of_step
from reloc.untrusted import integer, record, text

# Of the refinement of hypotheses by measured points, as a share of their depth.
DEPTH_SCALE = 0.02


class SceneNetworkTrainer:
    """Trains backbone and head together, an image a step.

    Args:
        network: with one head; is changed.
        options: of the training.
        meter: what a metre is in scene units.
        depth: typical depth of the scene, in scene units.
    """

    def __init__(
        self, network: SceneNetwork, options: DsacStarOptions, *, meter: float, depth: float
    ) -> None:
        self.network = network
        self.options = options
        self.device = network.device
        self.steps = 0
        pixel = options.short_side / 480
        self.scale = LossScale(meter, depth, pixel)
        by_depth = options.supervision == "rgbd"
        self.ransac = RansacOptions(
            hypotheses=options.hypotheses,
            threshold=options.depth_threshold if by_depth else options.threshold * pixel,
            by_depth=by_depth,
            refine=RefineOptions(
                pixel_scale=None if by_depth else PIXEL_SCALE * pixel,
                depth_share=DEPTH_SCALE if by_depth else None,
            ),
        )
        # A stage each: Adam's memory of one says nothing about the other.
        self._optimizers = [
            torch.optim.Adam(self.network.parameters(), lr=rate)
            for rate in (options.learning_rate, options.pose_learning_rate)
        ]
        self._generator = torch.Generator(self.device)
        # Running means of the loss of each stage, the median error and the share within 10 pixels.
        self._means = torch.full((4,), torch.nan, device=self.device)
        self._stage = 0

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""
        self._stage = int(fraction >= 1 - self.options.end_to_end)
        self._generator.manual_seed(seed_of_step(self.options.seed, self.steps))
        coordinates, cells = self.network(self.steps, kind="plain" if self._stage else "augmented")
        loss, errors = initial_loss(
            coordinates,
            cells,
            supervision=self.options.supervision,
            scale=self.scale,
        )
        if self._stage:
            loss = self._pose_loss(coordinates, cells)
        optimizer = self._optimizers[self._stage]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with uninterrupted():
            optimizer.step()
            self._note(loss.detach(), errors)
            self.steps += 1

    def _pose_loss(self, coordinates: Tensor, cells: Cells) -> Tensor:
        matches = drawn_matches(
            coordinates,
            cells,
            count=min(self.options.cells, len(coordinates)),
            generator=self._generator,
            measured=self.ransac.by_depth,
        )
        return expected_pose_losses(
            matches,
            cells.cam_from_world[None],
            options=self.ransac,
            meter=self.scale.meter,
            generator=self._generator,
        ).mean()

    def _note(self, loss: Tensor, errors: Tensor) -> None:
        now = self._means.clone()
        now[self._stage] = loss
        now[2], now[3] = errors.median(), (errors < 10).float().mean()
        first = self._means.isnan()
        self._means = torch.where(first, now, self._means.lerp(now, 0.05))

    def loss(self) -> float:
        """Running mean of the loss of the present stage; waits for the device."""
        return float(self._means[self._stage])

    def metrics(self) -> dict[str, float]:
        """The running mean for progress; waits for the device."""
        return {"loss": self.loss()}

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return finite(self.network)

    def figures(self) -> tuple[float, float]:
        """Running means: median reprojection error in pixels, share of cells within 10."""
        return float(self._means[2]), float(self._means[3])

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "network": self.network.state_dict(),
            "optimisers": [optimizer.state_dict() for optimizer in self._optimizers],
            "means": self._means,
            "stage": self._stage,
            "bad": dict(self.network.images.bad),
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        restore(self.network, state["network"])
        for optimizer, stored in zip(self._optimizers, state["optimisers"], strict=True):
            restore(optimizer, stored)
        self._means = like(state["means"], self._means).to(self.device)
        # Older checkpoints have neither.
        self._stage = integer(state.get("stage", 0), "stage", most=1)
        for number, reason in record(state.get("bad", {}), "images").items():
            image = integer(number, "image", most=MAX_STEPS)
            self.network.images.bad[image] = text(reason, "reason")
        self.steps = stored_steps(state["steps"])
