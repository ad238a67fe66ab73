"""When a training has given what it can: by photos that it does not learn from."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.maps.held_back import PoseError
from reloc.methods.ace.first_guesses import Guesses
from reloc.methods.until import Goal
from reloc.untrusted import items, number

# Steps of each head before the first check, and by which factor they grow to the next one: so
# checks take the same small share of the time throughout.
FIRST_CHECK, GROWTH = 200, 1.2
MAX_CHECKS = 200
# A pose is a good first guess if it projects what it sees some 24 pixels off at most, as far as
# landmarks are first looked for: an angle in radians, or a distance in typical depths.
GOOD_GUESS = 0.05
# Of so many frames heads have to make one, and of so many of those that landmarks are not sure of.
OF_ALL, OF_OTHERS = 0.5, 0.85
# Where landmarks are sure of all frames without heads, these are trained no longer than that, for
# what photos will not show so well: steps of each.
STEPS_WHERE_SETTLED = 700
# Errors fall still while those of the last two checks are below so much of those of the two before.
FALLING = 0.92
# Bounds of the guess how much longer a training would have to be.
LEAST_MORE, MOST_MORE = GROWTH, 10.0
# Errors below that cannot be told apart; lost is as bad as looking the other way.
LEAST, LOST = 1e-4, 3.0


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        by_heads: mean logarithm of the errors of heads alone, see ``relative``.
        final: likewise of what queries get.
        good: share of the frames of which heads make a good first guess.
    """

    by_heads: float
    final: float
    good: float


class StopRule:
    """Ends a training when frames that are held back gain no more by it.

    Heads have to make good first guesses, or no better ones in a while; and what queries get, with
    landmarks, must not become more precise. It goes by steps alone, so that the same photos give
    the same map on any machine.

    Args:
        look: localizes the frames with the heads as they are.
        depth: typical depth of the scene, in scene units.
        goal: what is asked of the frames instead.
    """

    def __init__(
        self,
        look: Callable[[], Guesses],
        *,
        depth: float,
        goal: Goal | None = None,
    ) -> None:
        self.checks: list[Check] = []
        self.ended = False
        self._look = look
        self._depth = depth
        self._goal = goal

    def next_check(self) -> int | None:
        """Steps of each trainer after which it wants to be asked next."""
        done = len(self.checks)
        return _steps(done) if done < MAX_CHECKS else None

    def reached(self) -> bool:
        """Localizes the frames; whether the training is to end."""
        found = self._look()
        if not found.final:
            # There is nothing to go by.
            self.checks = [Check(0.0, 0.0, 0.0)] * MAX_CHECKS
            return False
        errors = self._relative(found.by_heads)
        good, settled = errors <= GOOD_GUESS, np.array(found.settled)
        self.checks.append(
            Check(
                by_heads=float(np.log(errors).mean()),
                final=float(np.log(self._relative(found.final)).mean()),
                good=float(good.mean()),
            )
        )
        if self._goal is not None:
            self.ended = self._goal.met(found.final)
        else:
            enough = good.mean() >= OF_ALL and good[~settled].sum() >= OF_OTHERS * (~settled).sum()
            enough |= settled.all() and _steps(len(self.checks) - 1) >= STEPS_WHERE_SETTLED
            gained = not settled.all() and not self._stalls("final")
            self.ended = bool((enough or self._stalls("by_heads")) and not gained)
        return self.ended

    def more(self) -> float | None:
        """How many times the steps so far it would about take; None if nothing is known of it.

        As the errors of heads have fallen with the logarithm of the steps, they go on.
        """
        if self.ended or len(self.checks) < 2:
            return None
        errors = [check.by_heads for check in self.checks[-4:]]
        falls = (errors[0] - errors[-1]) / ((len(errors) - 1) * math.log(GROWTH))
        left = errors[-1] - math.log(GOOD_GUESS)
        if falls <= 0:
            return MOST_MORE
        return min(MOST_MORE, max(LEAST_MORE, math.exp(min(left / falls, 10))))

    def _stalls(self, name: str) -> bool:
        values = [getattr(check, name) for check in self.checks[-4:]]
        return len(values) == 4 and sum(values[2:]) > sum(values[:2]) + 2 * math.log(FALLING)

    def _relative(self, errors: Sequence[PoseError]) -> NDArray[np.float64]:
        """Errors (N,) as distances in typical depths plus angles in radians."""
        sizes = [LOST if e is None else e[0] / self._depth + math.radians(e[1]) for e in errors]
        return np.clip(sizes, LEAST, LOST)

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {"ended": self.ended, "checks": [[c.by_heads, c.final, c.good] for c in self.checks]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where ``state_dict`` was taken; ValueError and the like if it was none."""
        if not isinstance(state["ended"], bool):
            raise ValueError("impossible end")
        self.ended = state["ended"]
        self.checks = [_check(c) for c in items(state["checks"], "checks", most=MAX_CHECKS)]


def _steps(number: int) -> int:
    """Steps of each trainer before a check, by its number from 0 on."""
    return round(FIRST_CHECK * GROWTH**number)


def _check(value: Any) -> Check:
    by_heads, final, good = items(value, "check", most=3)
    return Check(
        number(by_heads, "error", least=-100, most=100),
        number(final, "error", least=-100, most=100),
        number(good, "share", least=0, most=1),
    )
