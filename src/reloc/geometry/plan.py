"""Where up is and how to lay a plan through a scene, judged from its camera poses."""

import numpy as np
from numpy.typing import ArrayLike

from reloc.geometry.poses import Array


def plan_axes(poses: Array, *, up: ArrayLike | None = None) -> Array:
    """The two world directions (2, 3) to draw a plan along, the longer one first.

    The plan is seen from above: along gravity if ``up`` is given, else along the direction in which
    the camera centres spread least, from the side where the tops of the images point to. Where the
    centres leave that open (a straight walk, a camera that only turns) those tops decide.

    Args:
        poses: (N, 4, 4) ``world_from_cam``, at least one.
        up: (3,) direction against gravity.
    """
    centers = poses[:, :3, 3] - poses[:, :3, 3].mean(axis=0)
    spread = centers.T @ centers
    spread /= max(float(np.trace(spread)), 1e-300)
    if up is None:
        tops = -poses[:, :3, 1].mean(axis=0)
        normal = np.linalg.eigh(spread - 0.05 * np.outer(tops, tops))[1][:, 0]
        normal = normal if normal @ tops >= 0 else -normal
    else:
        normal = np.asarray(up, dtype=np.float64) / np.linalg.norm(np.asarray(up))
    across = np.eye(3) - np.outer(normal, normal)
    # The small share of identity keeps the direction in the plane where nothing spreads at all.
    first = np.linalg.eigh(across @ spread @ across + 1e-9 * across)[1][:, 2]
    first = first if first[np.abs(first).argmax()] >= 0 else -first
    return np.stack([first, np.cross(normal, first)])


def up_direction(poses: Array) -> Array:
    """The direction (3,) against gravity that the cameras suggest, of length 1.

    Who takes photos keeps the horizon level: the x axes of the images are horizontal, whether the
    camera looks ahead or down. Up is perpendicular to them, on the side of the images' tops; where
    all cameras look one way, which leaves that open, the mean of the tops decides.

    Args:
        poses: (N, 4, 4) ``world_from_cam``, at least one.
    """
    rights, tops = poses[:, :3, 0], -poses[:, :3, 1].mean(axis=0)
    level = rights.T @ rights / len(rights)
    up = np.linalg.eigh(level - 0.005 * np.outer(tops, tops))[1][:, 0]
    return up if up @ tops >= 0 else -up
