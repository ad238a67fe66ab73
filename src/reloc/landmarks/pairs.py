"""Which views are matched with one another: those that the poses say see the same."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A turn by so many degrees is as bad as a step by a typical depth.
TURN_DEG = 45.0
# Beyond this a descriptor no longer recognizes the same surface.
FARTHEST = 1.5
# Two neighbors of a view are at least so far apart, by the same measure: a twin shows nothing new.
APART = 0.04


def view_pairs(world_from_cam: Array, *, depth: float, neighbors: int) -> list[tuple[int, int]]:
    """Pairs a < b of views, in order: each view with up to so many that see the same.

    Args:
        world_from_cam: (N, 4, 4).
        depth: typical depth of the scene, in scene units.
        neighbors: of each view, at most.
    """
    centers, axes = world_from_cam[:, :3, 3] / depth, world_from_cam[:, :3, 2]
    pairs: set[tuple[int, int]] = set()
    for view, (center, axis) in enumerate(zip(centers, axes, strict=True)):
        far = how_far(centers - center, axes @ axis)
        far[view] = np.inf
        chosen: list[int] = []
        for row in np.argsort(far, kind="stable"):
            if far[row] > FARTHEST or len(chosen) == neighbors:
                break
            gaps = how_far(centers[chosen] - centers[row], axes[chosen] @ axes[row])
            if far[row] > APART and (gaps > APART).all():
                chosen.append(int(row))
        pairs |= {(min(view, other), max(view, other)) for other in chosen}
    return sorted(pairs)


def how_far(shift: Array, cosine: Array) -> Array:
    """How far apart views are (N,): shift (N, 3) in typical depths, cosine (N,) of the turn."""
    turn = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return np.hypot(np.linalg.norm(shift, axis=1), turn / TURN_DEG)
