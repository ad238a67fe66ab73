"""How probable it is that a pose is no farther off than it may be."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reloc.maps.held_back import Bound

Array = NDArray[np.float64]

_DRAWS = 8000


def probability_within(bound: Bound, covariance: Array | None) -> float:
    """The probability that a normally distributed error is within a bound.

    It is the share of fixed draws, so that the same arguments give the same number.

    Args:
        bound: distance and angle.
        covariance: (6, 6) as that of ``Estimate``; None for an error of which nothing is known.
    """
    if covariance is None or not np.isfinite(covariance).all():
        return 0.0
    # Each number in its own standard deviation, so that the unit of length does not matter. The
    # root by eigenvalues exists for singular matrices, too.
    deviations = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    errors = _draws() * np.sqrt(np.maximum(values, 0)) @ vectors.T * deviations
    turned = np.linalg.norm(errors[:, :3], axis=1) <= np.radians(bound.degrees)
    near = np.linalg.norm(errors[:, 3:], axis=1) <= bound.distance
    return float((turned & near).mean())


@cache
def _draws() -> Array:
    """Standard normal draws (N, 6), each with its opposite."""
    half = np.random.default_rng(0).standard_normal((_DRAWS // 2, 6))
    return np.concatenate([half, -half])
