"""Known scene coordinates of cells, from the depth image of their frame."""

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.images.files import read_depth
from reloc.scenes.scene import Frame

Array = NDArray[np.float64]


def ray_depths(frame: Frame, rays: Array) -> Array:
    """Depth (N,) along the optical axis of what viewing rays (N, 2) at z = 1 hit; NaN if unknown.

    The depth camera shares the pose of the frame, not its intrinsics, so that each ray has a pixel
    of its own in the depth image.

    Raises:
        ImageError: the depth image is damaged or of another size than its camera.
    """
    depth = frame.depth
    if depth is None:
        return np.full(len(rays), np.nan)
    stored = read_depth(depth.path)
    camera = depth.camera
    if stored.shape != (camera.height, camera.width):
        raise ImageError(
            f"{depth.path}: is {stored.shape[1]}x{stored.shape[0]}, its camera "
            f"{camera.width}x{camera.height}"
        )
    pixels = camera.pixels(rays)
    # Comparisons with NaN are false.
    inside = np.logical_and(pixels >= 0, pixels < (camera.width, camera.height)).all(axis=1)
    column, row = np.where(inside.reshape(-1, 1), pixels, 0).astype(int).T
    values = stored[row, column]
    known = inside & ~np.isin(values, depth.invalid)
    return np.where(known, values * depth.unit, np.nan)
