"""Where something can stand in a place: on the level surface that the points show most of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry.plan import up_direction

Array = NDArray[np.float64]

SPOTS = 48
NEIGHBOURS = 12  # points that tell how the surface lies
LEVEL_DEG = 25.0  # from level: what the guess of up may be off
LAYERS = 60  # of equal height below the cameras


@dataclass(frozen=True)
class Ground:
    """A level surface.

    Attributes:
        up: (3,) against gravity, of length 1.
        across: (2, 3) two horizontal directions, at right angles.
        spots: (K, 3) points on the surface, apart from each other, in the world; K may be zero.
    """

    up: Array
    across: Array
    spots: Array


def find_ground(points: Array, poses: Array) -> Ground:
    """The ground below cameras.

    Of the points around which the surface is level a full layer below the cameras is taken, the
    lowest of those half as full as the fullest: the floor, or the table that everyone looked at.

    Args:
        points: (N, 3) of the place.
        poses: (M, 4, 4) mapping poses, at least one.
    """
    up = up_direction(poses)
    points = points[points @ up < np.median(poses[:, :3, 3] @ up)]
    normals = _normals(points)
    level = np.abs(normals @ up) > np.cos(np.radians(LEVEL_DEG))
    if level.sum() >= NEIGHBOURS:
        # Cameras that all look down the same way leave up open; the surface itself knows better.
        mean = (normals[level] * np.sign(normals[level] @ up)[:, None]).mean(axis=0)
        up = mean / np.linalg.norm(mean)
    axis = np.eye(3)[np.abs(up).argmin()]
    right = np.cross(axis, up) / np.linalg.norm(np.cross(axis, up))
    across = np.stack([right, np.cross(up, right)])
    points = points[level]
    heights = points @ up
    if len(points) < NEIGHBOURS:
        return Ground(up, across, np.zeros((0, 3)))
    low, high = np.percentile(heights, 1), heights.max()
    counts, edges = np.histogram(heights, bins=LAYERS, range=(low, max(high, low + 1e-9)))
    # A surface that is cut by the border between two layers still counts as one.
    pairs = np.convolve(counts, [1, 1], "valid")
    full = int(np.flatnonzero(pairs >= pairs.max() / 2)[0])
    level = points[(heights >= edges[full]) & (heights <= edges[full + 2])]
    height = float(np.median(level @ up))
    level = level + np.outer(height - level @ up, up)
    return Ground(up, across, _apart(level))


def _normals(points: Array) -> Array:
    """Directions (N, 3) across the surface around points (N, 3), either way; 0 for too few."""
    if len(points) < NEIGHBOURS:
        return np.zeros_like(points)
    near = np.concatenate(
        [
            np.argpartition(((rows[:, None] - points) ** 2).sum(axis=2), NEIGHBOURS - 1, axis=1)
            for rows in np.array_split(points, len(points) // 256 + 1)
        ]
    )[:, :NEIGHBOURS]
    patches = points[near] - points[near].mean(axis=1, keepdims=True)
    axes: Array = np.linalg.eigh(np.einsum("nki,nkj->nij", patches, patches))[1]
    return axes[:, :, 0]


def _apart(points: Array) -> Array:
    """Up to ``SPOTS`` of the points (N, 3), each as far as possible from those before it."""
    chosen = [int(np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(SPOTS, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]
