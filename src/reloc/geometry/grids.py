"""Rays of regular grids of pixels, and of the border, computed once for each camera."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reloc.geometry.cameras import Camera

Array = NDArray[np.float64]

# The grids of a lens with distortion that are kept: 20 MB of those that novel views are drawn from.
KEPT = 64
# Rays by axis at which a lens is asked whether it folds.
PROBES = 17


def grid_pixels(first: Array, step: Array, shape: tuple[int, int]) -> Array:
    """Pixels (rows * columns, 2) of a regular grid, row by row.

    Args:
        first: (2,) pixel (x, y) of the first of them.
        step: (2,) from one to the next, by axis.
        shape: rows and columns.
    """
    x = first[0] + step[0] * np.arange(shape[1])
    y = first[1] + step[1] * np.arange(shape[0])
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def grid_rays(camera: Camera, first: Array, step: Array, shape: tuple[int, int]) -> Array:
    """Rays (rows * columns, 2) of ``grid_pixels``, not to be written to; see ``Camera.rays``.

    The views of a frame, and those of all frames of one camera, look at the same few grids.
    """
    if not camera.distortion:
        return camera.rays(grid_pixels(first, step, shape))
    return _kept_rays(camera, *map(float, (*first, *step)), shape)


@lru_cache(KEPT)
def _kept_rays(
    camera: Camera, x: float, y: float, dx: float, dy: float, shape: tuple[int, int]
) -> Array:
    rays = camera.rays(grid_pixels(np.array([x, y]), np.array([dx, dy]), shape))
    rays.flags.writeable = False
    return rays


@dataclass(frozen=True)
class RayBox:
    """Bounds of the rays of a camera, see ``Camera.ray_bounds``.

    Attributes:
        low: (2,) smallest.
        high: (2,) largest.
        whole: whether no ray within them lies beyond where the lens folds back, so that each has a
            pixel of its own.
    """

    low: Array
    high: Array
    whole: bool


@lru_cache(KEPT)
def ray_box(camera: Camera) -> RayBox:
    """The bounds of a camera's rays."""
    low, high = camera.ray_bounds()
    if not camera.distortion:
        return RayBox(low, high, whole=True)
    if not np.isfinite((low, high)).all():
        return RayBox(low, high, whole=False)
    sides = np.linspace(low, high, PROBES)
    rays = np.stack(np.meshgrid(*sides.T), axis=-1).reshape(-1, 2)
    return RayBox(low, high, whole=camera.is_one_to_one(rays))
