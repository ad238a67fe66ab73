"""Preparing images for the backbone, with the map from cells back to pixels of the file.

An augmented view is a warp of the image by a homography. Pose and camera stay those of the
original frame: what changes is only which original pixel a cell looks at, so any lens and any
principal point work without rewriting a camera, and the warp need not be one that a camera could
make.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]

# OpenCV warps at most 32767 pixels a side; no photo at a sensible short side comes near.
MAX_SIDE = 16384
# What a backbone may be given, fifteen times the pixels of 640x480: a query then takes up to 1 GB
# in a map of one region, 2.4 GB in one of many.
MAX_VIEW_PIXELS = 3200 * 1440


@dataclass(frozen=True)
class View:
    """A grey image as the backbone sees it.

    Attributes:
        image: (H, W) uint8.
        original_from_view: (3, 3) homography from its pixels to those of the original image.
        scale: pixels of the view per pixel of the original.
    """

    image: Gray
    original_from_view: Array
    scale: float

    def original_pixels(self, pixels: Array) -> Array:
        """Pixels (N, 2) of the original for pixels (N, 2) of the view."""
        return apply_homography(self.original_from_view, pixels)


def apply_homography(a_from_b: Array, pixels: Array) -> Array:
    """Pixels (N, 2) of image a for pixels (N, 2) of image b, under a homography (3, 3)."""
    mapped = pixels @ a_from_b[:, :2].T + a_from_b[:, 2]
    return mapped[:, :2] / mapped[:, 2:]


def cell_pixels(height: int, width: int, *, stride: int) -> Array:
    """Pixels (h * w, 2) that the cells of an image look at, row by row."""
    rows, columns = -(-height // stride), -(-width // stride)
    x, y = np.meshgrid((np.arange(columns) + 0.5) * stride, (np.arange(rows) + 0.5) * stride)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def resampled_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height of an image resampled by a factor.

    Raises:
        ImageError: the image is so long and thin that the result would be enormous.
    """
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    if max(size) > MAX_SIDE:
        raise ImageError(f"an image of {width}x{height} is too long and thin to be of use")
    return size


def enlarged_side(short_side: int, factor: float, width: int, height: int) -> int:
    """The short side of a plain view that is larger or smaller than others by a factor.

    It grows as far as ``MAX_VIEW_PIXELS`` allows for an image of the width and height.
    """
    if factor <= 1:
        return max(1, round(factor * short_side))
    most = int((MAX_VIEW_PIXELS * min(width, height) / max(width, height)) ** 0.5)
    return max(short_side, min(round(factor * short_side), most))


def plain_view(image: Gray, *, short_side: int) -> View:
    """The image resampled to a short side in pixels.

    Raises:
        ImageError: the image is so long and thin that the view would be over ``MAX_VIEW_PIXELS``.
    """
    height, width = image.shape
    scale = short_side / min(height, width)
    if height * width * scale**2 > MAX_VIEW_PIXELS:
        raise ImageError(
            f"an image of {width}x{height} is too long and thin: over {MAX_VIEW_PIXELS / 1e6:.1f} "
            f"megapixels at a short side of {short_side}; cut it"
        )
    if abs(scale - 1) < 1e-3:
        return View(image, np.eye(3), 1.0)
    size = resampled_size(width, height, scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=method)
    return View(resized, np.diag([width / size[0], height / size[1], 1.0]), scale)


def augmented_view(
    image: Gray,
    rng: np.random.Generator,
    *,
    short_side: int,
    max_rotation_deg: float = 15.0,
    max_zoom: float = 1.5,
    max_tilt: float = 0.2,
    light: float = 0.2,
) -> View:
    """The image turned, zoomed, slanted and relit at random.

    Turn and zoom are ACE's (supplement: 15 degrees, 2/3 to 3/2). The slant, a shear with a
    perspective, stands in for surfaces seen from elsewhere: it is what raises the recall of
    queries that stand apart from all mapping frames.

    Args:
        image: (H, W).
        rng: where chance comes from.
        short_side: pixels of the view's short side before zooming.
        max_rotation_deg: of the turn in the image plane.
        max_zoom: largest factor of the zoom, either way.
        max_tilt: strength of shear and perspective; 0.2 shrinks one side to about two thirds.
        light: largest change of contrast and, halved, of brightness, as a share of the range.

    Raises:
        ImageError: as ``plain_view``.
    """
    height, width = image.shape
    zoom = np.exp(rng.uniform(-np.log(max_zoom), np.log(max_zoom)))
    scale = short_side / min(height, width) * zoom
    size = resampled_size(width, height, scale)
    unit = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    direction = rng.uniform(0, 2 * np.pi)
    lean = max_tilt * rng.uniform(-1, 1) * (unit @ [np.cos(direction), np.sin(direction)]) / 1.2
    shear = np.eye(2) + rng.uniform(-0.7 * max_tilt, 0.7 * max_tilt, (2, 2))
    shear /= np.sqrt(abs(np.linalg.det(shear)))
    angle = np.radians(rng.uniform(-max_rotation_deg, max_rotation_deg))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([width, height]) / 2
    corners = unit * middle * (1 + lean[:, None]) @ shear.T @ turn.T + middle
    frame = (unit + 1) / 2 * size
    original_from_view = cv2.getPerspectiveTransform(
        frame.astype(np.float32), corners.astype(np.float32)
    )
    warped = _warped(image, original_from_view, size=size, scale=scale)
    return View(jittered(warped, rng, light), original_from_view, scale)


def jittered(image: Gray, rng: np.random.Generator, light: float) -> Gray:
    """The image with contrast changed by up to ``light`` and brightness by half of that."""
    table = np.linspace(0, 255, 256)
    table = (table - 102) * (1 + rng.uniform(-light, light)) + 102
    table += 255 * rng.uniform(-light / 2, light / 2)
    return np.asarray(cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)), np.uint8)


def antialiased(image: Gray, scale: float) -> Gray:
    """The image without the detail that would alias when it is sampled at a smaller scale."""
    if scale >= 0.75:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / scale), np.uint8)


def _warped(image: Gray, original_from_view: Array, *, size: tuple[int, int], scale: float) -> Gray:
    """The view that a homography of pixels with centres at +0.5 describes."""
    # cv2 places pixel centres at whole numbers.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    from_view = np.linalg.inv(half) @ original_from_view @ half
    warped = cv2.warpPerspective(
        antialiased(image, scale),
        from_view,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.uint8)
