"""Clusters of mapping cameras, which overlap: each head of a map learns from one.

Hierarchical k-means, as ACE (section 4.3) does it: the largest group is cut in two until there are
as many as wanted. Not the camera centres are grouped but the points that the cameras look at, a
typical depth ahead: what a head has to know are surfaces, and two cameras back to back share none.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from reloc.methods.ace.options import MappingOptions

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# A camera also joins a foreign group whose middle is at most so many times as far as that of its
# own: queries near a border then find a head that has seen all around them.
OVERLAP = 1.3
# A head needs a few views of whatever it is to know.
MIN_FRAMES = 5
_ROUNDS = 30
# Chosen by measurement (docs/large-places.md): heads for a square of one typical depth, how far in
# typical depths a single view reaches to the sides of its middle, and bounds of their number.
HEADS_PER_SQUARE = 16.0
VIEW_REACH = 0.2
LEAST_HEADS = 4
FRAMES_PER_HEAD = 12


def clusters_of(
    poses: Array,
    options: MappingOptions,
    *,
    depth: float,
    looked_at: Iterable[int] = (),
) -> tuple[Indices, ...]:
    """Rows of the frames of each head that a place is to have.

    Args:
        poses: (F, 4, 4) of the frames, world_from_cam.
        options: say how many heads there shall be.
        depth: typical depth of the scene, in scene units.
        looked_at: rows of frames that were seen; they decide how many heads there are where the
            options do not.
    """
    wanted = options.heads or cluster_count(poses[sorted(looked_at)], depth=depth)
    return camera_clusters(poses, wanted, depth=depth)


def cluster_count(world_from_cam: Array, *, depth: float) -> int:
    """How many heads a place should have, from the area of what its cameras look at.

    The area is that of a rectangle with sides as long as the points spread (standard deviations)
    along their two longest axes, and a bit more for what surrounds them.

    Args:
        world_from_cam: (F, 4, 4) poses of the frames that were looked at.
        depth: typical distance of what is seen, in scene units.
    """
    most = len(world_from_cam) // FRAMES_PER_HEAD
    if most < 2:
        return 1
    points = _seen_points(world_from_cam, depth) / depth
    spreads = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
    area = float(np.prod(np.sort(spreads)[-2:] + VIEW_REACH))
    wanted = max(LEAST_HEADS, round(HEADS_PER_SQUARE * area))
    return min(wanted, most)


def camera_clusters(world_from_cam: Array, count: int, *, depth: float) -> tuple[Indices, ...]:
    """Overlapping groups of cameras that look at the same part of a place.

    Deterministic. There may be fewer groups than asked for, since none has less than
    ``MIN_FRAMES`` cameras of its own.

    Args:
        world_from_cam: (F, 4, 4) poses.
        count: groups wanted, at least one.
        depth: typical distance of what is seen, in scene units.

    Returns:
        Rows of ``world_from_cam``, ascending, for each group; each camera is in one or more.
    """
    points = _seen_points(world_from_cam, depth)
    groups = [np.arange(len(points))]
    whole: list[Indices] = []
    while groups and len(groups) + len(whole) < count:
        largest = groups.pop(max(range(len(groups)), key=lambda g: len(groups[g])))
        side = _halves(points[largest])
        halves = [largest[side], largest[~side]]
        if min(map(len, halves)) < MIN_FRAMES:
            whole.append(largest)
        else:
            groups += halves
    groups = sorted(groups + whole, key=lambda group: int(group[0]))
    middles = np.stack([points[group].mean(axis=0) for group in groups])
    distances = np.linalg.norm(points[:, None] - middles, axis=2)
    own = np.empty(len(points), np.intp)
    for number, group in enumerate(groups):
        own[group] = number
    near = distances <= OVERLAP * distances[np.arange(len(points)), own][:, None]
    near[np.arange(len(points)), own] = True
    return tuple(np.flatnonzero(column) for column in near.T)


def _seen_points(world_from_cam: Array, depth: float) -> Array:
    return world_from_cam[:, :3, 3] + depth * world_from_cam[:, :3, 2]


def _halves(points: Array) -> NDArray[np.bool_]:
    """2-means of (N, 3) points from a cut across their longest axis; True for one half."""
    centered = points - points.mean(axis=0)
    axis = np.linalg.eigh(centered.T @ centered)[1][:, -1]
    side = centered @ axis > np.median(centered @ axis)
    for _ in range(_ROUNDS):
        if side.all() or not side.any():
            break
        middles = points[side].mean(axis=0), points[~side].mean(axis=0)
        near, far = (np.linalg.norm(points - middle, axis=1) for middle in middles)
        moved = near < far
        if (moved == side).all():
            break
        side = moved
    return side
