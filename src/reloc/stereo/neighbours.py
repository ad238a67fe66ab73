"""Which frames to compare a frame with, to find out how far it sees."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Baselines in units of the typical depth. Shorter ones tell little about depth; longer ones see
# other sides of things, which features do not recognise.
BEST_BASELINE = 0.15
LEAST_BASELINE = 0.03
MOST_BASELINE = 0.8
MOST_TURN_DEG = 35.0
# A turn by this many degrees is as bad as a baseline off by the factor e.
TURN_DEG = 20.0
# Two neighbours stand at least this share of the best baseline apart: a twin tells nothing new.
APART = 0.35


def stereo_neighbours(
    world_from_cam: Array, *, depth: float, count: int = 4, of: Sequence[int] | None = None
) -> list[list[int]]:
    """For each frame, the rows of up to ``count`` others that see the same from beside it.

    Args:
        world_from_cam: (N, 4, 4).
        depth: typical depth of the scene, in scene units.
        count: neighbours of a frame, at most.
        of: rows of the frames whose neighbours are looked for; None for all.

    Returns:
        A list of rows for each, best first; empty where the camera only turned.
    """
    centers, axes = world_from_cam[:, :3, 3], world_from_cam[:, :3, 2]
    chosen: list[list[int]] = []
    asked = slice(None) if of is None else np.asarray(of, np.intp)
    for center, axis in zip(centers[asked], axes[asked], strict=True):
        baselines = np.linalg.norm(centers - center, axis=1) / depth
        turns = np.degrees(np.arccos(np.clip(axes @ axis, -1, 1)))
        fit = (baselines > LEAST_BASELINE) & (baselines < MOST_BASELINE) & (turns < MOST_TURN_DEG)
        cost = np.abs(np.log(np.maximum(baselines, 1e-9) / BEST_BASELINE)) + turns / TURN_DEG
        picks: list[int] = []
        for row in np.argsort(np.where(fit, cost, np.inf), kind="stable")[: int(fit.sum())]:
            gaps = np.linalg.norm(centers[picks] - centers[row], axis=1)
            if (gaps > APART * BEST_BASELINE * depth).all():
                picks.append(int(row))
            if len(picks) == count:
                break
        chosen.append(picks)
    return chosen


def neighbours_among(
    world_from_cam: Array, among: Sequence[int], *, of: Collection[int], depth: float
) -> set[int]:
    """The frames that some are compared with.

    Args:
        world_from_cam: (N, 4, 4) of all frames.
        among: rows of those that may be compared with.
        of: rows of the frames whose neighbours are looked for; those that are not among them have
            none.
        depth: typical depth of the scene, in scene units.
    """
    asked = [place for place, row in enumerate(among) if row in of]
    beside = stereo_neighbours(world_from_cam[list(among)], depth=depth, of=asked)
    return {among[place] for places in beside for place in places}
