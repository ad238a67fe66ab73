"""Learning rates as a function of how far a training has come."""

import math
from collections.abc import Iterable

from torch.optim import Optimizer

# Of a training that may be told to end, the share that comes before its rates fall.
BEFORE_DECAY = 0.75
# Shares of the peak: of the first step, and below which no rate falls.
FIRST, LEAST = 0.01, 1e-3


def stable_then_falling(fraction: float, *, steps: int, warmup: int) -> float:
    """A linear rise, a stable rate, and a linear fall once there is no more than a share left.

    For trainings of which nobody knows in the beginning how long they will be (Hu et al., 2024).

    Args:
        fraction: of the training, 0 to 1; the rate falls from ``BEFORE_DECAY`` on.
        steps: made so far.
        warmup: steps in which the rate rises; in a short training a tenth of it.

    Returns:
        Share of the peak, ``LEAST`` to 1.
    """
    rise = max(fraction / 0.1, (steps + 1) / warmup, FIRST)
    fall = (1 - fraction) / (1 - BEFORE_DECAY)
    return max(min(rise, fall, 1.0), LEAST)


def cosine_under_warmup(fraction: float, *, warmup: float) -> float:
    """Half a cosine over the whole training, times a linear rise over ``warmup``.

    For trainings that go on from one which is done: most of the peak comes early.

    Args:
        fraction: of the training, 0 to 1.
        warmup: share of the training in which the rate rises.

    Returns:
        Share of the peak, 0 to 1.
    """
    return 0.5 * (1 + math.cos(math.pi * fraction)) * min(1.0, fraction / warmup + FIRST)


def set_learning_rates(
    optimizers: Iterable[Optimizer], peaks: Iterable[float], factor: float
) -> None:
    """Sets the rate of every parameter group to its peak times a factor.

    Args:
        optimizers: whose groups there are, in order.
        peaks: one for each group of all optimisers together.
        factor: share of the peak.
    """
    groups = (group for optimizer in optimizers for group in optimizer.param_groups)
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = peak * factor
