"""What COLMAP's text and binary models share: numbers of cameras, and tracks of points."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import NOTHING_SEEN, SparsePoints

NO_POINTS = SparsePoints(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), {})
TRACK_ELEMENT = np.dtype([("image", "<u4"), ("index", "<u4")])


def camera_ids(frames: Sequence[Frame]) -> dict[Camera, int]:
    """The distinct cameras, numbered from 1."""
    numbers: dict[Camera, int] = {}
    for frame in frames:
        numbers.setdefault(frame.camera, len(numbers) + 1)
    return numbers


def tracks(
    points: SparsePoints, frames: Sequence[Frame]
) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """For each point the images that see it, numbered from 1, and which of their 2D points it is.

    Returns:
        All elements (T,) of the type ``TRACK_ELEMENT``, point after point, and how many (N,) of
        them each point has.
    """
    seen = [NOTHING_SEEN.points] + [points.seen_by(frame).points for frame in frames]
    elements = np.zeros(sum(map(len, seen)), TRACK_ELEMENT)
    elements["image"] = np.repeat(np.arange(len(seen)), [len(rows) for rows in seen])
    elements["index"] = np.concatenate([np.arange(len(rows)) for rows in seen])
    rows = np.concatenate(seen)
    return elements[np.argsort(rows, kind="stable")], np.bincount(rows, minlength=len(points))
