"""Measured depth as ACE and nerfstudio take it: of the colour camera, thousandths of a unit."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.images.files import write_image
from reloc.progress import Progress
from reloc.scenes.depth import stored_depth
from reloc.scenes.scene import Depth, Frame

STEP = 0.001  # scene units per stored step: millimetres in a metric scene
_LARGEST = 65534  # of 16 bits; the value above it means "nothing measured" to readers of ACE


def write_depths(files: dict[Path, Frame], progress: Progress) -> list[str]:
    """Writes the depth of frames as 16-bit PNG files in steps of ``STEP``, 0 for nothing measured.

    Depth of a camera that is not the colour camera at another size is drawn from where the colour
    camera looks, nearest pixel for pixel; both stand in the same spot.

    Args:
        files: each target with the frame whose depth it is to hold.
        progress: told of every file.

    Returns:
        A remark if some of what was measured is too far away for 16 bits.

    Raises:
        ImageError: a depth image is missing or damaged.
    """
    lost = 0
    for count, (path, frame) in enumerate(files.items(), start=1):
        assert frame.depth is not None
        stored, measured = stored_depth(frame.depth)
        stored = np.where(measured, stored, 0)
        if not _same_view(frame.camera, frame.depth):
            rows, columns = _sources(frame.camera, frame.depth.camera)
            stored = np.where(rows >= 0, stored[rows, columns], 0)
        steps = np.rint(stored * (frame.depth.unit / STEP))
        measured = stored > 0
        fits = measured & (steps <= _LARGEST)
        lost += bool((fits != measured).any())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.where(fits, steps, 0).astype(np.uint16))
        progress("depth", count, len(files))
    if not lost:
        return []
    return [
        f"left out depth beyond {_LARGEST * STEP:g} units in {lost} frames: the files hold "
        "thousandths in 16 bits"
    ]


def _same_view(color: Camera, depth: Depth) -> bool:
    """Whether depth has the intrinsics of the colour image, at whatever size."""
    try:
        resized = color.resized(depth.camera.width, depth.camera.height)
    except CameraError:
        return False
    same_lens = (_is_ideal(resized) and _is_ideal(depth.camera)) or (
        (resized.model, resized.distortion) == (depth.camera.model, depth.camera.distortion)
    )
    return same_lens and np.allclose(resized.matrix(), depth.camera.matrix(), atol=0.01)


def _is_ideal(camera: Camera) -> bool:
    return not any(camera.distortion) and "FISHEYE" not in camera.model


@lru_cache(maxsize=8)
def _sources(color: Camera, depth: Camera) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column (H, W) of the depth image for each pixel of the colour camera; -1 outside."""
    x, y = np.meshgrid(np.arange(color.width) + 0.5, np.arange(color.height) + 0.5)
    rays = color.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    low, high = depth.ray_bounds()
    with np.errstate(invalid="ignore"):
        pixels = np.floor(depth.pixels(rays))
        inside = np.all((rays >= low) & (rays <= high), axis=1)
        inside &= np.all((pixels >= 0) & (pixels < (depth.width, depth.height)), axis=1)
    found = np.where(inside[:, None], pixels, -1).astype(np.intp)
    columns, rows = found.T.reshape(2, color.height, color.width)
    return rows, columns
