"""Where up is, by how people hold cameras."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.geometry.plan import up_direction

Array = NDArray[np.float64]

# Quarter turns clockwise about the optical axis: the axes of the upright picture in the stored one.
_TURN = np.array([[0.0, 1.0, 0.0, 0.0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
_ROUNDS = 3


def up_by_cameras(poses: Array, turns: Sequence[int] = ()) -> tuple[Array, float]:
    """The direction (3,) against gravity that most cameras agree on, and how well they do.

    Rows of upright pictures are level; those that are not (a phone on its side, a picture of the
    floor) are fewer than half, and do not count: least trimmed squares.

    Args:
        poses: (N, 4, 4) ``world_from_cam``, at least one.
        turns: quarter turns clockwise that make each stored picture upright; none by default.

    Returns:
        The direction, of length 1, and the median angle in degrees by which rows of pictures are
        off level.
    """
    upright = np.array(poses, np.float64)
    for row, turn in enumerate(turns):
        upright[row] = upright[row] @ np.linalg.matrix_power(_TURN, turn % 4)
    chosen, up = upright, up_direction(upright)
    for _ in range(_ROUNDS):
        off = np.abs(upright[:, :3, 0] @ up)
        chosen = upright[np.argsort(off, kind="stable")[: len(upright) // 2 + 1]]
        up = up_direction(chosen)
    off = np.abs(upright[:, :3, 0] @ up)
    return up, float(np.degrees(np.arcsin(min(1.0, float(np.median(off))))))
