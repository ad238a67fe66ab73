"""Preparing images for the backbone, with the map from cells back to pixels of the file.

An augmented view is an affine warp of the image. Pose and camera stay those of the original
frame: what changes is only which original pixel a cell looks at, so any lens and any principal
point work without rewriting a camera.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError

Array = NDArray[np.float64]
Grey = NDArray[np.uint8]

# OpenCV warps at most 32767 pixels a side; no photo at a sensible short side comes near.
MAX_SIDE = 16384


@dataclass(frozen=True)
class View:
    """A grey image as the backbone sees it.

    Attributes:
        image: (H, W) uint8.
        original_from_view: (2, 3) affine map from its pixels to those of the original image.
        scale: pixels of the view per pixel of the original.
    """

    image: Grey
    original_from_view: Array
    scale: float

    def original_pixels(self, pixels: Array) -> Array:
        """Pixels (N, 2) of the original for pixels (N, 2) of the view."""
        return pixels @ self.original_from_view[:, :2].T + self.original_from_view[:, 2]


def cell_pixels(height: int, width: int, *, stride: int) -> Array:
    """Pixels (h * w, 2) that the cells of an image look at, row by row."""
    rows, columns = -(-height // stride), -(-width // stride)
    x, y = np.meshgrid((np.arange(columns) + 0.5) * stride, (np.arange(rows) + 0.5) * stride)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _size(width: int, height: int, scale: float) -> tuple[int, int]:
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    if max(size) > MAX_SIDE:
        raise ImageError(f"an image of {width}x{height} is too long and thin to be of use")
    return size


def plain_view(image: Grey, *, short_side: int) -> View:
    """The image resampled to a short side in pixels.

    Raises:
        ImageError: the image is so long and thin that the view would be enormous.
    """
    height, width = image.shape
    scale = short_side / min(height, width)
    if abs(scale - 1) < 1e-3:
        return View(image, np.array([[1.0, 0, 0], [0, 1.0, 0]]), 1.0)
    size = _size(width, height, scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=method)
    affine = np.array([[width / size[0], 0, 0], [0, height / size[1], 0]])
    return View(resized, affine, scale)


def augmented_view(
    image: Grey,
    rng: np.random.Generator,
    *,
    short_side: int,
    max_rotation_deg: float = 15.0,
    max_zoom: float = 1.5,
    light: float = 0.1,
) -> View:
    """The image turned, zoomed and relit at random (ACE, supplement: 2/3..3/2, 15 degrees, 0.1).

    Raises:
        ImageError: as ``plain_view``.
    """
    height, width = image.shape
    zoom = np.exp(rng.uniform(-np.log(max_zoom), np.log(max_zoom)))
    scale = short_side / min(height, width) * zoom
    angle = np.radians(rng.uniform(-max_rotation_deg, max_rotation_deg))
    size = _size(width, height, scale)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    offset = np.array(size) / 2 - linear @ (np.array([width, height]) / 2)
    # cv2 places pixel centres at whole numbers: p + 0.5 on both sides.
    shifted = offset + (linear.sum(axis=1) - 1) * 0.5
    source = image
    if scale < 0.75:
        source = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    warped = cv2.warpAffine(
        source,
        np.c_[linear, shifted],
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    table = np.linspace(0, 255, 256)
    table = (
        (table - 102) * (1 + rng.uniform(-light, light)) + 102 + 255 * rng.uniform(-light, light)
    )
    inverse = np.linalg.inv(linear)
    return View(
        cv2.LUT(warped, np.clip(table, 0, 255).astype(np.uint8)),
        np.c_[inverse, -inverse @ offset],
        scale,
    )
