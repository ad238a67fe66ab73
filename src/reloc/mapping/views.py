"""The views of a mapping frame that a head learns from: plain, augmented, or from beside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.geometry.cameras import both
from reloc.geometry.grids import grid_rays
from reloc.images.augment import augmented_view, cell_pixels, plain_view
from reloc.images.image_cache import read_gray
from reloc.scenes.masks import kept
from reloc.scenes.scene import Frame
from reloc.stereo import InverseDepth, novel_view

Kind = Literal["plain", "augmented", "novel"]


@dataclass(frozen=True)
class PreparedView:
    """A view of a frame, ready for the backbone, with what each of its cells looks at.

    Attributes:
        frame: number of the frame.
        kind: how the view was made.
        image: (H, W) uint8.
        pixels: (cells, 2) pixels of the original image, row by row.
        rays: (cells, 2) their viewing rays at z = 1, in the camera frame of the frame.
        usable: (cells,) whether pixel and ray are good.
        inverse_depths: (cells,) float32, 0 where nobody knows.
        focal: pixels of the view per unit at z = 1.
    """

    frame: int
    kind: Kind
    image: NDArray[np.uint8]
    pixels: NDArray[np.float64]
    rays: NDArray[np.float32]
    usable: NDArray[np.bool_]
    inverse_depths: NDArray[np.float32]
    focal: float


def prepare_view(
    frame: Frame,
    index: int,
    *,
    kind: Kind,
    short_side: int,
    stride: int,
    seed: int = 0,
    depth: float = 1.0,
    inverse_depth: InverseDepth | None = None,
    read: Callable[[Path], NDArray[np.uint8]] = read_gray,
) -> PreparedView:
    """Reads a frame and makes a view of it, as a function of the seed and the index alone.

    Args:
        frame: whose image is read.
        index: number of the frame.
        kind: ``novel`` needs the inverse depth.
        short_side: of the view in pixels, before it is zoomed.
        stride: pixels per cell.
        seed: of what is random about views that are not plain.
        depth: typical depth of the scene, in scene units; moves the eye of novel views.
        inverse_depth: how far the frame sees, where that is known.
        read: gives the grey pixels of an image file.

    Raises:
        ImageError: the image or its mask is damaged, or of another size than its camera.
    """
    image = read(frame.image)
    height, width = image.shape
    camera = frame.camera
    if (width, height) != (camera.width, camera.height):
        raise ImageError(
            f"{frame.image}: is {width}x{height}, its camera {camera.width}x{camera.height}"
        )
    rng = np.random.default_rng([seed, index])
    if kind == "novel" and inverse_depth is not None:
        drawn = novel_view(
            image,
            camera,
            inverse_depth,
            rng,
            depth=depth,
            short_side=short_side,
            stride=stride,
        )
        seen, scale = drawn.image, drawn.scale
        pixels, rays, usable = drawn.pixels, drawn.rays, drawn.usable
    else:
        if kind == "plain":
            view = plain_view(image, short_side=short_side)
        else:
            view = augmented_view(image, rng, short_side=short_side)
        seen, scale = view.image, view.scale
        pixels = view.original_pixels(cell_pixels(*seen.shape, stride=stride))
        usable = both((pixels > 0) & (pixels < (width, height)))
        if kind == "plain":
            cell = stride * np.array([width / seen.shape[1], height / seen.shape[0]])
            rows, columns = (-(-side // stride) for side in seen.shape)
            rays = grid_rays(camera, cell / 2, cell, (rows, columns))
        else:
            rays = camera.rays(np.clip(pixels, 0, (width, height)))
    if frame.mask is not None:
        usable = usable & kept(frame.mask, pixels, width=width, height=height)
    return PreparedView(
        frame=index,
        kind=kind,
        image=seen,
        pixels=pixels,
        rays=np.nan_to_num(rays).astype(np.float32),
        usable=usable & both(np.isfinite(rays)),
        inverse_depths=known_inverse_depths(inverse_depth, pixels),
        focal=camera.focal * scale,
    )


def known_inverse_depths(
    inverse_depth: InverseDepth | None, pixels: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Inverse depths (N,) at pixels (N, 2), 0 where nobody knows."""
    if inverse_depth is None:
        return np.zeros(len(pixels), np.float32)
    return np.nan_to_num(inverse_depth.at(pixels))
