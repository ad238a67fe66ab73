"""Matches between two views whose poses are known: along epipolar lines, and nowhere else.

The plane through both camera centers and a point holds both of its rays. So each ray has an angle
around the baseline, which is the same in both views, and an angle from it, which grows from the
first view to the second by the parallax of the point. A keypoint has to be compared only with those
of almost the same first angle and a larger second one: a few in a hundred, so that the best of them
is the right one more often, and found in a fraction of the time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.landmarks.keypoints import unit_descriptors

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Nearer to the baseline than this the angle around it says nothing.
LEAST_SINE = 0.05
# Rows that are compared at a time.
BLOCK = 128


@dataclass(frozen=True)
class View:
    """Keypoints of a frame, with what matching needs of the frame.

    Attributes:
        world_from_cam: (4, 4).
        focal: pixels per unit at z = 1.
        rays: (K, 2) at z = 1, NaN where the lens has none.
        descriptors: (K, 128) uint8 as keypoints have them.
    """

    world_from_cam: Array
    focal: float
    rays: Array
    descriptors: NDArray[np.uint8]


@dataclass(frozen=True)
class MatchOptions:
    """What a match between two posed views has to satisfy.

    Attributes:
        tolerance: pixels off the epipolar line, at most.
        ratio: of the distances of descriptors to the best and the second best candidate, at most.
        distance: of descriptors of unit length, at most.
        least_depth: of a point from either camera, in scene units.
        least_parallax_deg: angle between the two rays of a match, at least.
    """

    tolerance: float = 3.0
    ratio: float = 0.85
    distance: float = 0.75
    least_depth: float = 0.0
    least_parallax_deg: float = 0.2


def epipolar_matches(a: View, b: View, *, options: MatchOptions) -> Indices:
    """Mutual best matches (M, 2) of two views along epipolar lines: rows of a, rows of b."""
    shift = b.world_from_cam[:3, 3] - a.world_from_cam[:3, 3]
    baseline = float(np.linalg.norm(shift))
    if baseline <= 0:
        return np.zeros((0, 2), np.int64)
    axes = _axes(shift / baseline)
    of_a, of_b = _angles(a, axes), _angles(b, axes).twice_around()
    tolerance = np.float32(options.tolerance / min(a.focal, b.focal))
    # sin(parallax) = baseline * sin(along in b) / distance from a.
    steepest = baseline / max(options.least_depth, 1e-9 * baseline) * of_b.sine
    widest = np.where(steepest < 1, np.arcsin(np.minimum(1, steepest)), np.float32(np.pi))
    reach_b = tolerance / of_b.sine
    parallax = np.float32(np.radians(options.least_parallax_deg))
    units_a, units_b = unit_descriptors(a.descriptors), unit_descriptors(b.descriptors)
    best_of_a = np.full(len(a.rays), -1.0, np.float32)
    match_of_a = np.full(len(a.rays), -1, np.int64)
    best_of_b = np.full(len(b.rays), -1.0, np.float32)
    for begin in range(0, len(of_a.rows), BLOCK):
        block = of_a.part(slice(begin, begin + BLOCK))
        reach_a = tolerance / block.sine
        near = slice(
            *np.searchsorted(
                of_b.around, (block.around[0] - reach_a.max(), block.around[-1] + reach_a.max())
            )
        )
        others = of_b.part(near)
        if not len(others.rows):
            continue
        off = np.abs(block.around[:, None] - others.around)
        gain = others.along - block.along[:, None]
        fit = (off < reach_a[:, None]) & (off < reach_b[near])
        fit &= (gain > parallax) & (gain <= widest[near])
        cosines = units_a[block.rows] @ units_b[others.rows].T
        cosines[~fit] = -1.0
        np.maximum.at(best_of_b, others.rows, cosines.max(axis=0))
        line, top = np.arange(len(block.rows)), cosines.argmax(axis=1)
        best = cosines[line, top]
        cosines[line, top] = -1.0
        # Squared distances of unit vectors are 2 - 2 cos.
        good = 1 - best < options.ratio**2 * (1 - cosines.max(axis=1))
        good &= 2 - 2 * best < options.distance**2
        best_of_a[block.rows] = best
        match_of_a[block.rows] = np.where(good, others.rows[top], -1)
    found = np.flatnonzero(match_of_a >= 0)
    mutual = best_of_a[found] >= best_of_b[match_of_a[found]]
    return np.stack([found[mutual], match_of_a[found[mutual]]], axis=1)


@dataclass(frozen=True)
class _Angles:
    """Angles of the usable rays of a view, sorted by that around the baseline; float32.

    Attributes:
        rows: (N,) of the rays among the keypoints.
        around: (N,) the baseline.
        along: (N,) from the baseline.
        sine: (N,) of ``along``.
    """

    rows: Indices
    around: NDArray[np.float32]
    along: NDArray[np.float32]
    sine: NDArray[np.float32]

    def part(self, which: slice) -> "_Angles":
        return _Angles(self.rows[which], self.around[which], self.along[which], self.sine[which])

    def twice_around(self) -> "_Angles":
        """The same with a turn before and a turn after, so that no range of angles wraps."""
        turn = np.float32(2 * np.pi)
        return _Angles(
            np.tile(self.rows, 3),
            np.concatenate([self.around - turn, self.around, self.around + turn]),
            np.tile(self.along, 3),
            np.tile(self.sine, 3),
        )


def _axes(along: Array) -> Array:
    """(3, 3) with the direction as its last row, orthonormal."""
    helper = np.eye(3)[np.abs(along).argmin()]
    first = np.cross(along, helper)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(along, first), along])


def _angles(view: View, axes: Array) -> _Angles:
    directions = np.c_[view.rays, np.ones(len(view.rays))]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    local = directions @ (axes @ view.world_from_cam[:3, :3]).T
    sine = np.linalg.norm(local[:, :2], axis=1)
    around, along = np.arctan2(local[:, 1], local[:, 0]), np.arctan2(sine, local[:, 2])
    rows = np.flatnonzero(sine > LEAST_SINE)  # NaN is not
    rows = rows[np.argsort(around[rows], kind="stable")]
    return _Angles(
        rows,
        around[rows].astype(np.float32),
        along[rows].astype(np.float32),
        sine[rows].astype(np.float32),
    )
