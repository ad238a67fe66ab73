"""Poses by time, as trackers and motion capture write them, and the pose at any time between."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from reloc.geometry import pose_from, rotation_from_quaternion
from reloc.scenes.scene import Array

# Ground truth comes at 100 Hz, of other systems at 10 and more: over a longer time a camera may do
# anything.
MAX_STEP_SECONDS = 0.101
# Images come at 30 Hz: more than this apart belongs to another one.
MAX_GAP_SECONDS = 0.02


class Trajectory:
    """Poses at times.

    Args:
        rows: time in seconds, translation (3,) and quaternion (w, x, y, z) of each; those that are
            not finite or have no rotation, as where tracking was lost, are left out.
    """

    def __init__(self, rows: Iterable[tuple[float, ArrayLike, ArrayLike]]) -> None:
        numbers = (np.array([time, *np.ravel(t), *np.ravel(q)]) for time, t, q in rows)
        usable = sorted(
            row.tolist()
            for row in numbers
            if np.isfinite(row).all() and np.linalg.norm(row[4:]) > 1e-9
        )
        self._times = [row[0] for row in usable]
        self._rows = np.array([row[1:] for row in usable], np.float64).reshape(-1, 7)

    def __len__(self) -> int:
        return len(self._times)

    def at(self, time: float) -> tuple[Array | None, float]:
        """The pose at a time, and how many seconds away it was measured; 0 between two others.

        Interpolated, the translation along a line and the rotation evenly, between poses that are
        at most ``MAX_STEP_SECONDS`` apart, else the nearest within ``MAX_GAP_SECONDS``.

        Returns:
            The pose (4, 4), or None if there is none.
        """
        times, rows = self._times, self._rows
        after = bisect_left(times, time)
        if 0 < after < len(times) and times[after] - times[after - 1] <= MAX_STEP_SECONDS:
            share = (time - times[after - 1]) / (times[after] - times[after - 1])
            a, b = rows[after - 1], rows[after]
            return _pose((1 - share) * a[:3] + share * b[:3], _between(a[3:], b[3:], share)), 0.0
        at = nearest(times, time)
        if at is None:
            return None, 0.0
        return _pose(rows[at, :3], rows[at, 3:]), abs(times[at] - time)


def nearest(times: Sequence[float], time: float) -> int | None:
    """Index of the nearest of ascending times within ``MAX_GAP_SECONDS``; None if there is none."""
    at = bisect_left(times, time)
    near = [i for i in (at - 1, at) if 0 <= i < len(times)]
    best = min(near, key=lambda i: abs(times[i] - time), default=None)
    return best if best is not None and abs(times[best] - time) <= MAX_GAP_SECONDS else None


def _pose(translation: Array, wxyz: Array) -> Array:
    return pose_from(rotation_from_quaternion(wxyz), translation)


def _between(a: Array, b: Array, share: float) -> Array:
    """The rotation at a share of the way from one quaternion to another, turning evenly."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    if a @ b < 0:  # the same rotation has two quaternions
        b = -b
    half = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if half < 1e-6:
        return a + share * (b - a)
    return (np.sin((1 - share) * half) * a + np.sin(share * half) * b) / np.sin(half)
