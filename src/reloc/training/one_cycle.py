"""Training by steps with AdamW on a one-cycle schedule: how backbones and adapters are trained."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reloc.restoring import restore, stored_steps
from reloc.training.divergence import finite

MAX_GRADIENT = 1.0


class OneCycleTrainer:
    """What such trainers share: a subclass adds ``step`` and ``metrics`` (see ``loop.Trainer``).

    The schedule (Smith and Topin, 2019) goes by steps alone, not by the clock.

    Args:
        trained: whose weights are trained.
        parts: networks that belong to the state, by their names in it.
        learning_rate: peak of the schedule.
        weight_decay: AdamW's.
        steps: in all.
        warmup: share of them in which the rate rises.
    """

    def __init__(
        self,
        trained: nn.Module,
        *,
        parts: Mapping[str, nn.Module],
        learning_rate: float,
        weight_decay: float,
        steps: int,
        warmup: float,
    ) -> None:
        self.steps = 0
        self.trained = trained
        self._optimizer = torch.optim.AdamW(
            trained.parameters(), lr=learning_rate, weight_decay=weight_decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, learning_rate, total_steps=steps, pct_start=warmup
        )
        self._parts: dict[str, nn.Module | Optimizer | LRScheduler] = {
            **parts,
            "optimiser": self._optimizer,
            "schedule": self._schedule,
        }

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        self._optimizer.zero_grad(set_to_none=True)

    def clip(self) -> None:
        """Shortens the gradient of all weights together to ``MAX_GRADIENT``."""
        nn.utils.clip_grad_norm_(self.trained.parameters(), MAX_GRADIENT)

    def advance(self) -> None:
        """Moves the weights along the gradient, and counts the step."""
        self._optimizer.step()
        self._schedule.step()
        self.steps += 1

    def healthy(self) -> bool:
        """Whether all weights are finite; waits for the device."""
        return finite(self.trained)

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "step": self.steps,
            **{name: part.state_dict() for name, part in self._parts.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""
        for name, part in self._parts.items():
            restore(part, state[name])
        self.steps = stored_steps(state["step"])
