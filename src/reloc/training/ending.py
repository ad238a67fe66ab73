"""Where a training ends: after so many steps or seconds, or earlier, when it is told to."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from reloc.restoring import stored_seconds
from reloc.training.rates import BEFORE_DECAY
from reloc.untrusted import number


class EndRule(Protocol):
    """Says when a training is to end, by what it has given so far; see ``loop.train``."""

    def next_check(self) -> int | None:
        """Steps of each trainer after which it wants to be asked next; None if never again."""

    def reached(self) -> bool:
        """Looks at what the trainers have learned; whether the training is to end."""

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken."""


class Ending:
    """How far a training has come, which an earlier end moves on to ``BEFORE_DECAY``.

    Args:
        steps: for each trainer, unless there is a budget.
        budget: seconds that the training stretches over instead.
    """

    def __init__(self, steps: int, budget: float | None) -> None:
        self.steps = float(steps)
        self.budget = budget
        self._began = time.monotonic()

    def elapsed(self) -> float:
        """Seconds of the training, those of interrupted runs among them."""
        return time.monotonic() - self._began

    def fraction(self, steps: float) -> float:
        """How far a trainer has come with so many steps, 0 to 1 and beyond."""
        return steps / self.steps if self.budget is None else self.elapsed() / self.budget

    def decays(self, steps: int) -> bool:
        """Whether a trainer of so many steps is past ``BEFORE_DECAY``."""
        return self.fraction(steps) >= BEFORE_DECAY

    def end_soon(self, steps: int) -> None:
        """Brings the end nearer, so that a trainer of so many steps is at ``BEFORE_DECAY``."""
        if not self.decays(steps):
            if self.budget is None:
                self.steps = steps / BEFORE_DECAY
            else:
                self.budget = self.elapsed() / BEFORE_DECAY

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {"spent": self.elapsed(), "budget": self.budget, "end": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken; ValueError and the like if it was none."""
        spent, self.budget = stored_seconds(state, self.budget)
        # Older checkpoints had no other end than the one that was asked for.
        self.steps = number(state.get("end", self.steps), "end", least=1, most=self.steps)
        self._began = time.monotonic() - spent
