"""What pictures from above have in common."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def plan_box(points: Array) -> tuple[Array, Array]:
    """Corners (2,), (2,) of a box around points (N, 2) with a margin, never thinner than 1:4."""
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max()) or 1.0
    half = np.maximum(high - low, 0.22 * longest) / 2 + 0.06 * longest
    middle = (low + high) / 2
    return middle - half, middle + half
