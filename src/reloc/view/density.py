"""How thinly points lie, which tells how large each has to be drawn to close its surface."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST, LARGEST = -1.0, 2.0  # octaves; larger discs would smear what was seen only from afar
SIDE = 6.0  # of the cubes in which points are counted, in spacings


def point_spacing(points: Array, samples: int = 200) -> float:
    """Median distance of a point to its nearest neighbour, of points (N, 3) in random order."""
    if len(points) < 2:
        return 0.0
    near = [np.partition(((points - p) ** 2).sum(axis=1), 1)[1] for p in points[:samples]]
    return float(np.sqrt(np.median(near)))


def size_octaves(points: Array, spacing: float) -> Array:
    """Sizes (N,) that close surfaces, in octaves above ``spacing``.

    How thin the points (N, 3) are around each is told by their number in a cube that a surface
    crosses.
    """
    if spacing <= 0:
        return np.zeros(len(points))
    side = SIDE * spacing
    cubes = np.floor((points - points.min(axis=0)) / side).astype(np.int64)
    keys = np.ravel_multi_index(tuple(cubes.T), tuple(cubes.max(axis=0) + 1))
    _, cube, counts = np.unique(keys, return_inverse=True, return_counts=True)
    octaves = np.log2(SIDE / np.sqrt(counts[cube])) - 0.3
    return np.clip(octaves, SMALLEST, LARGEST)
