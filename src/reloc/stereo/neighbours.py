"""Which frames to compare a frame with, to find out how far it sees."""

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


def stereo_neighbours(world_from_cam: Array, *, depth: float, count: int = 4) -> list[list[int]]:
    """For each frame, the rows of up to ``count`` others that see the same from beside it.

    Args:
        world_from_cam: (N, 4, 4).
        depth: typical depth of the scene, in scene units.
        count: neighbours of a frame, at most.

    Returns:
        N lists of rows, best first; empty where the camera only turned.
    """
    centers, axes = world_from_cam[:, :3, 3], world_from_cam[:, :3, 2]
    chosen: list[list[int]] = []
    for center, axis in zip(centers, axes, strict=True):
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
