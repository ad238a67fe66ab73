"""When to believe a pose."""

import numpy as np
from numpy.typing import NDArray


def confidence(errors: NDArray[np.float64]) -> float:
    """How likely a pose is right, 0 to 1, from the reprojection errors (N,) of all cells."""
    share = float((errors < 10.0).mean())
    return float(1 / (1 + np.exp(-(share - 0.04) / 0.01)))
