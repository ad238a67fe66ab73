"""How far cells see where that is known: by depth images, or by the points of a COLMAP model."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.scenes import colmap
from reloc.scenes.depth import DepthAlongRays, read_depth_map
from reloc.scenes.scene import Array, Frame, Scene


class KnownDepths:
    """Depth along the rays of a scene's frames.

    Depth images come first; the points of a COLMAP model serve scenes that have none. They are
    taken to be in the frame of reference of the poses.

    Args:
        scene: whose mapping frames are asked about.

    Raises:
        SceneError: the points of its COLMAP model are missing or damaged.
    """

    def __init__(self, scene: Scene) -> None:
        measured = any(frame.depth is not None for frame in scene.mapping)
        by_model = scene.model if not measured else None
        self._points = colmap.points_seen(by_model) if by_model else {}

    def of(self, frame: Frame) -> bool:
        """Whether anything is known of a frame, as far as one can tell without reading an image."""
        return frame.depth is not None or len(self._points.get(frame.name, ())) > 0

    def of_frame(self, frame: Frame, *, cell: float) -> DepthAlongRays:
        """What is known of a frame.

        Args:
            frame: with a pose.
            cell: how far apart the rays of neighbouring cells are; a point counts for rays nearer
                than that.

        Raises:
            ImageError: the depth image is damaged, of another size than its camera, or empty.
        """
        if frame.depth is not None:
            return read_depth_map(frame.depth)
        points = self._points.get(frame.name)
        if points is None or frame.world_from_cam is None:
            return PointDepths(np.zeros((0, 3)), cell)
        return PointDepths(transformed(inverted(frame.world_from_cam), points), cell)


class PointDepths:
    """Depth of points, each along the rays of its square of the plane z = 1; the nearest counts.

    Args:
        points: (N, 3), camera frame.
        cell: side of a square.
    """

    def __init__(self, points: Array, cell: float) -> None:
        seen = points[points[:, 2] > 0]
        # The first of a bin is its nearest.
        seen = seen[np.argsort(seen[:, 2])]
        self._cell = cell
        self._bins, first = np.unique(_bins(seen[:, :2] / seen[:, 2:], cell), return_index=True)
        self._depths = seen[first, 2]

    def along(self, rays: Array) -> Array:
        """Depth (N,) along rays (N, 2), NaN where there is no point; see ``DepthAlongRays``."""
        if not len(self._bins):
            return np.full(len(rays), np.nan)
        wanted = _bins(rays, self._cell)
        at = np.searchsorted(self._bins, wanted).clip(max=len(self._bins) - 1)
        return np.where(self._bins[at] == wanted, self._depths[at], np.nan)


def _bins(rays: Array, size: float) -> NDArray[np.int64]:
    """One number (N,) per square of a side on the plane z = 1."""
    square = np.floor(rays / size).clip(-(2**30), 2**30).astype(np.int64)
    return square[:, 0] * 2**32 + square[:, 1]
