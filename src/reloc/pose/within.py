"""How probable it is that a pose is no farther off than it may be."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reloc.maps.held_back import Bound

Array = NDArray[np.float64]

# The error of a pose has heavier tails than a normal distribution, since its covariance is an
# estimate: those of Student's t with so many degrees of freedom and such a share of the covariance.
TAILS, CORE = 4.0, 0.6
_DRAWS = 4000


def probability_within(bound: Bound, covariance: Array | None) -> float:
    """The probability that an error is within a bound.

    It is the share of fixed draws, so that the same arguments give the same number.

    Args:
        bound: distance and angle.
        covariance: (6, 6) as that of ``Estimate``; None for an error of which nothing is known.
    """
    if covariance is None or not np.isfinite(covariance).all():
        return 0.0
    turns, shifts = drawn_errors(covariance)
    return float(((turns <= np.radians(bound.degrees)) & (shifts <= bound.distance)).mean())


def drawn_errors(covariance: Array) -> tuple[Array, Array]:
    """Angles in radians (N,) and distances (N,) of errors, drawn once for all.

    Args:
        covariance: (6, 6) as that of ``Estimate``.
    """
    # Each number in its own standard deviation, so that the unit of length does not matter. The
    # root by eigenvalues exists for singular matrices, too.
    deviations = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    errors = _draws() @ ((vectors * np.sqrt(np.maximum(values, 0))).T * deviations)
    return np.linalg.norm(errors[:, :3], axis=1), np.linalg.norm(errors[:, 3:], axis=1)


@cache
def _draws() -> Array:
    """Draws (N, 6) of a unit covariance, each with its opposite."""
    rng = np.random.default_rng(0)
    half = rng.standard_normal((_DRAWS // 2, 6))
    half *= np.sqrt(CORE * TAILS / rng.chisquare(TAILS, (len(half), 1)))
    return np.concatenate([half, -half])
