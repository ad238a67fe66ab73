"""How far off a pose may be to be good enough, and how probable it is that it is no farther."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError

Array = NDArray[np.float64]

# Of a map whose unit is the metre, and of any other.
METRES, SHARE_OF_EXTENT, DEGREES = 0.25, 0.03, 5.0
_DRAWS = 8000


@dataclass(frozen=True)
class ErrorBound:
    """A distance and an angle that the error of a pose must not exceed.

    Attributes:
        distance: of the camera centre from the true one, in the unit of the map.
        degrees: between the orientations.

    Raises:
        OptionError: one of them is not positive.
    """

    distance: float
    degrees: float = DEGREES

    def __post_init__(self) -> None:
        if not (self.distance > 0 and self.degrees > 0):
            raise OptionError("an error bound needs a positive distance and positive degrees")

    @classmethod
    def of_map(cls, *, unit: str, extent: float) -> "ErrorBound":
        """What confidence is stated for: 25 cm in metres, else 3 % of the extent; and 5 degrees.

        Args:
            unit: of the map, ``metre`` or ``unknown``.
            extent: of the map, in its unit.
        """
        return cls(METRES if unit == "metre" else max(SHARE_OF_EXTENT * extent, 1e-12))


def probability_within(bound: ErrorBound, covariance: Array | None) -> float:
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
