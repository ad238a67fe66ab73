"""How large a scene is, judged from its camera poses alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Scenes without metres are taken to be this deep, which makes their metre.
TYPICAL_DEPTH_METERS = 3.0


def scene_scale(world_from_cam: Array, *, seed: int = 0) -> float:
    """Typical depth of what the cameras look at, in scene units.

    Two cameras whose axes converge mostly look at something near where these come closest: the
    median of those depths over many pairs. Bounded by the spread of the camera centres, which
    also answers when all cameras look in parallel or away from each other.

    Args:
        world_from_cam: (F, 4, 4) poses of at least two cameras that do not share one centre.
        seed: of the choice of pairs.
    """
    centers, axes = world_from_cam[:, :3, 3], world_from_cam[:, :3, 2]
    extent = float(np.ptp(centers, axis=0).max())
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, len(centers), (2, 4000))
    cos = (axes[i] * axes[j]).sum(axis=1)
    # 5 to 60 degrees apart: steep enough to cross somewhere, close enough to see the same.
    pairs = (cos < np.cos(np.radians(5))) & (cos > np.cos(np.radians(60)))
    i, j, cos = i[pairs], j[pairs], cos[pairs]
    baseline = centers[j] - centers[i]
    a, b = (baseline * axes[i]).sum(axis=1), (baseline * axes[j]).sum(axis=1)
    sin2 = 1 - cos**2
    depth_i, depth_j = (a - cos * b) / sin2, (cos * a - b) / sin2
    ahead = (depth_i > 0) & (depth_j > 0)
    if ahead.sum() < 20:
        return extent
    depth = float(np.median(np.minimum(depth_i, depth_j)[ahead]))
    return float(np.clip(depth, 0.3 * extent, 10 * extent))


def meter_of(unit: str, *, scale: float) -> float:
    """What a metre is in scene units: 1, or a third of the typical depth where none is known.

    Args:
        unit: ``meter`` or ``unknown``.
        scale: typical depth of the scene, in scene units.
    """
    return 1.0 if unit == "metre" else scale / TYPICAL_DEPTH_METERS
