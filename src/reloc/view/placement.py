"""Where a page puts a place: upright, about the origin, and seen from a good side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, pose_from, transformed
from reloc.geometry.plan import up_direction

Array = NDArray[np.float64]

KEPT = 2.5  # how many half sides beyond the bulk of the points a point may lie


@dataclass(frozen=True)
class Placement:
    """How a place lies on a page, whose frame has z up and the middle of the place as its origin.

    Attributes:
        page_from_world: (4, 4) rigid.
        low, high: (3,) box of the bulk of the place, page frame; the floor is ``low[2]``.
        kept: (N,) which points are near enough to the bulk to be shown.
        yaw: direction in radians, about z from x, in which the cameras look on the whole.
    """

    page_from_world: Array
    low: Array
    high: Array
    kept: NDArray[np.bool_]
    yaw: float

    def near(self, points: Array) -> NDArray[np.bool_]:
        """Which points (N, 3), page frame, are near enough to the bulk to be shown."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        # What is not finite is near to nothing.
        return np.asarray((np.abs(points - middle) <= (1 + KEPT) * half).all(axis=1))

    @property
    def radius(self) -> float:
        """Half the diagonal of the box, scene units."""
        return float(np.linalg.norm(self.high - self.low) / 2)


def placed(points: Array, poses: Array, *, up: Array | None = None) -> Placement:
    """Places points (N, 3) and cameras (M, 4, 4), both in the world frame; M is at least one.

    ``up`` (3,) of length 1 is judged from the cameras where nobody knows it.
    """
    up = up_direction(poses) if up is None else up
    axis = np.eye(3)[np.abs(up).argmin()]
    right = axis - (axis @ up) * up
    right /= np.linalg.norm(right)
    world_from_page = pose_from(np.stack([right, np.cross(up, right), up], axis=1), np.zeros(3))
    centers = transformed(inverted(world_from_page), poses[:, :3, 3])
    finite = np.isfinite(points).all(axis=1)
    upright = transformed(inverted(world_from_page), points[finite])
    low, high = _bulk(upright, centers)
    middle = (low + high) / 2
    world_from_page[:3, 3] = world_from_page[:3, :3] @ middle
    kept = np.zeros(len(points), dtype=np.bool_)
    kept[finite] = (np.abs(upright - middle) <= (1 + KEPT) * (high - low) / 2).all(axis=1)
    forward = world_from_page[:3, :3].T @ poses[:, :3, 2].mean(axis=0)
    return Placement(
        page_from_world=inverted(world_from_page),
        low=low - middle,
        high=high - middle,
        kept=kept,
        yaw=float(np.arctan2(forward[1], forward[0])),
    )


def _bulk(points: Array, centers: Array) -> tuple[Array, Array]:
    """A box around most of the points and the cameras, with some thickness in every direction."""
    low, high = np.percentile(centers, [2, 98], axis=0)
    if len(points):
        sample = points[:: 1 + len(points) // 100_000]  # every few points tell the same
        middle = (low + high) / 2
        # A point counts as much as it fills of the view from where the cameras are: what stands far
        # behind the place is much and evenly strewn, but small to see.
        near = max(float(np.linalg.norm(high - low)) / 2, 1e-9)
        weights = np.maximum(np.linalg.norm(sample - middle, axis=1), near) ** -2
        for axis in range(3):
            order = np.argsort(sample[:, axis])
            share = np.cumsum(weights[order])
            ends = np.searchsorted(share, np.array([0.03, 0.97]) * share[-1])
            first, last = sample[order[ends], axis]
            low[axis], high[axis] = min(low[axis], first), max(high[axis], last)
    thin = 0.05 * max(float((high - low).max()), 1e-6)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, thin)
    return middle - half, middle + half
