"""Similarities: rotation, translation and one scale, and the best one between two point sets."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.geometry import pose_from, transformed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """``a_from_b`` with a scale: a point is scaled, turned, then moved.

    Attributes:
        scale: units of a for each unit of b, positive.
        rotation: (3, 3).
        translation: (3,) in units of a.
    """

    scale: float = 1.0
    rotation: Array = field(default_factory=lambda: np.eye(3))
    translation: Array = field(default_factory=lambda: np.zeros(3))

    def points(self, points_b: ArrayLike) -> Array:
        """Points (N, 3) of b in a."""
        return transformed(
            pose_from(self.scale * self.rotation, self.translation),
            np.asarray(points_b, np.float64).reshape(-1, 3),
        )

    def pose(self, b_from_cam: ArrayLike) -> Array:
        """A rigid pose (4, 4) in b as a rigid pose in a: only the centre is scaled."""
        pose = np.asarray(b_from_cam, np.float64)
        return pose_from(self.rotation @ pose[:3, :3], self.points(pose[:3, 3])[0])

    def after(self, first: "Similarity") -> "Similarity":
        """What maps c to a, where this one maps b to a and ``first`` c to b."""
        return Similarity(
            self.scale * first.scale,
            self.rotation @ first.rotation,
            self.points(first.translation)[0],
        )


def turned_up(up: ArrayLike) -> Array:
    """The smallest rotation (3, 3) that turns a direction (3,) to (0, 0, 1)."""
    x, y, z = np.asarray(up, np.float64) / np.linalg.norm(np.asarray(up, np.float64))
    if z < -1 + 1e-12:  # no turn is the smallest then
        return np.diag([1.0, -1.0, -1.0])
    axis = np.array([y, -x, 0.0])
    cross = np.array([[0, 0, axis[1]], [0, 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)


def umeyama(source: Array, target: Array, *, scale: float | None = None) -> Similarity:
    """The similarity ``target_from_source`` with the least squared residuals.

    The closed form of Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", PAMI 1991.

    Args:
        source: (N, 3), at least three points that are not on a line.
        target: (N, 3).
        scale: if it is known.
    """
    middle, aim = source.mean(axis=0), target.mean(axis=0)
    u, values, vt = np.linalg.svd((target - aim).T @ (source - middle))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    if scale is None:
        scale = float((values * signs).sum() / max(((source - middle) ** 2).sum(), 1e-300))
    return Similarity(scale, rotation, aim - scale * rotation @ middle)


def level_similarity(
    source: Array, target: Array, up: ArrayLike, *, scale: float | None = None
) -> Similarity:
    """The similarity with the least squared horizontal residuals that turns ``up`` to z.

    Heights have no say in turn and scale: a receiver errs by more in them, and a tilt is better
    known from gravity. They are moved by the median of what they lack.

    Args:
        source: (N, 3), at least two points that are not one above the other.
        target: (N, 3), z up; heights may be NaN.
        up: (3,) direction in the frame of the source.
        scale: if it is known.
    """
    lift = turned_up(up)
    level = source @ lift.T
    flat, aim = _as_complex(level), _as_complex(target)
    middle, goal = flat.mean(), aim.mean()
    factor = np.vdot(flat - middle, aim - goal)
    if scale is None:
        scale = float(abs(factor) / max(float((np.abs(flat - middle) ** 2).sum()), 1e-300))
    turn = factor / max(abs(factor), 1e-300)
    yaw = np.array([[turn.real, -turn.imag, 0], [turn.imag, turn.real, 0], [0, 0, 1.0]])
    moved = goal - scale * turn * middle
    lacking = target[:, 2] - scale * level[:, 2]
    known = lacking[np.isfinite(lacking)]
    height = float(np.median(known)) if len(known) else 0.0
    return Similarity(scale, yaw @ lift, np.array([moved.real, moved.imag, height]))


def _as_complex(points: Array) -> NDArray[np.complex128]:
    return np.asarray(points[:, 0] + 1j * points[:, 1], np.complex128)
