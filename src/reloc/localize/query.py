"""Queries: what is to be localized, read and brought to the size that the networks want."""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError, ImageError
from reloc.geometry import Camera
from reloc.images.augment import View, apply_homography, cell_pixels, plain_view
from reloc.images.files import read_image
from reloc.scenes.depth import DepthMap, read_depth_map
from reloc.scenes.scene import Depth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Query:
    """An image to localize.

    Attributes:
        name: what the estimate will be called.
        image: a file, or pixels (H, W) grey or (H, W, 3) RGB, uint8.
        camera: intrinsics, or None to take the map's own camera.
        depth: measured depth of the same view in the map's unit, if there is any: a file or values.
        fault: why the image cannot be localized, where that is known before it is read.
    """

    name: str
    image: Path | NDArray[np.uint8]
    camera: Camera | None = None
    depth: Depth | DepthMap | None = None
    fault: ImageError | CameraError | None = None


@dataclass(frozen=True)
class PreparedQuery:
    """A query ready for the backbone.

    Attributes:
        name: of the query.
        view: the plain view.
        camera: at the size of the image.
        depth: measured, if there is any.
        seconds: that reading took.
    """

    name: str
    view: View
    camera: Camera
    depth: DepthMap | None
    seconds: float

    @property
    def focal(self) -> float:
        """Pixels of the view per unit at z = 1."""
        return self.camera.focal * self.view.scale

    def cells(self, stride: int) -> tuple[Array, Array]:
        """Pixels of the image and viewing rays at z = 1 of all cells, both (N, 2).

        Rays are NaN where there is none.
        """
        homography = tuple(self.view.original_from_view.ravel())
        return _cells(self.camera, *self.view.image.shape, stride, homography)


def prepared_query(query: Query, *, camera: Camera | None, short_side: int) -> PreparedQuery:
    """Reads a query.

    Args:
        query: what to read.
        camera: for a query without one.
        short_side: of the view, in pixels.

    Raises:
        ImageError: no image, or a damaged one.
        CameraError: no camera is at hand, or it contradicts the image.
    """
    began = time.perf_counter()
    if query.fault is not None:
        raise query.fault
    try:
        if isinstance(query.image, np.ndarray):
            image = as_grey(query.image)
        else:
            image = read_image(query.image, grey=True)
        height, width = image.shape
        fitting = fitting_camera(
            query.camera or camera, width=width, height=height, name=query.name
        )
        view = plain_view(image, short_side=short_side)
        depth = read_depth_map(query.depth) if isinstance(query.depth, Depth) else query.depth
    except (cv2.error, MemoryError) as error:
        raise ImageError(
            f"{query.name}: too large to be localized here; make it smaller"
        ) from error
    return PreparedQuery(query.name, view, fitting, depth, time.perf_counter() - began)


def fitting_camera(camera: Camera | None, *, width: int, height: int, name: str) -> Camera:
    """The camera at the size of an image.

    Raises:
        CameraError: there is none, or its aspect ratio is another.
    """
    if camera is None:
        raise CameraError(
            f"{name}: no camera at hand; the map was made with several, so give one with --camera"
        )
    if (camera.width, camera.height) == (width, height):
        return camera
    ratio = (width / height) / (camera.width / camera.height)
    if abs(ratio - 1) > 0.01:
        raise CameraError(
            f"{name}: the image is {width}x{height}, its camera {camera.width}x{camera.height} of "
            "another shape; give the right one with --camera"
        )
    return camera.resized(width, height)


def as_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey pixels (H, W) of an image (H, W) or (H, W, 3) RGB; ImageError for anything else."""
    if image.dtype != np.uint8 or image.size == 0:
        raise ImageError("an image is a non-empty uint8 array (H, W) or (H, W, 3)")
    if image.ndim == 2:
        # PyTorch takes neither flipped nor read-only arrays.
        return np.require(image, requirements=["C", "W"])
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    raise ImageError(f"an image has the shape (H, W) or (H, W, 3), not {image.shape}")


@lru_cache(maxsize=64)
def _cells(
    camera: Camera, height: int, width: int, stride: int, original_from_view: tuple[float, ...]
) -> tuple[Array, Array]:
    """See ``PreparedQuery.cells``.

    Queries mostly share a camera, and removing its distortion costs more than solving for a pose.
    """
    homography = np.array(original_from_view).reshape(3, 3)
    pixels = apply_homography(homography, cell_pixels(height, width, stride=stride))
    outside = ((pixels <= 0) | (pixels >= (camera.width, camera.height))).any(axis=1)
    rays = camera.rays(np.clip(pixels, 0, (camera.width, camera.height)))
    rays[outside] = np.nan
    return pixels, rays
