"""What pictures from above have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.geometry.plan import plan_axes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """A plane to look at cameras on, from above.

    Attributes:
        origin: (3,) where its origin lies in the world.
        axes: (2, 3) its directions in the world, as of ``plan_axes``.
    """

    origin: Array
    axes: Array

    @classmethod
    def through(cls, poses: Sequence[Array] | Array, *, up: ArrayLike | None = None) -> Self:
        """The plan through cameras (N, 4, 4), at least one; ``up`` as of ``plan_axes``."""
        cameras = np.asarray(poses)
        return cls(cameras[:, :3, 3].mean(axis=0), plan_axes(cameras, up=up))

    def positions(self, poses: Sequence[Array] | Array) -> Array:
        """Where cameras (N, 4, 4) stand, (N, 2)."""
        cameras = np.asarray(poses, dtype=np.float64).reshape(-1, 4, 4)
        return (cameras[:, :3, 3] - self.origin) @ self.axes.T

    def directions(self, poses: Sequence[Array] | Array) -> Array:
        """Where cameras (N, 4, 4) look, (N, 2); shorter than 1 where they look up or down."""
        cameras = np.asarray(poses, dtype=np.float64).reshape(-1, 4, 4)
        return cameras[:, :3, 2] @ self.axes.T


def plan_box(points: Array) -> tuple[Array, Array]:
    """Corners (2,), (2,) of a box around points (N, 2) with a margin, never thinner than 1:4."""
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max()) or 1.0
    half = np.maximum(high - low, 0.22 * longest) / 2 + 0.06 * longest
    middle = (low + high) / 2
    return middle - half, middle + half
