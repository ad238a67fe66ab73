"""Measured depth: files to values, and values to the rays of another camera."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.geometry import Camera
from reloc.images.files import read_depth
from reloc.scenes.scene import Depth

Array = NDArray[np.float64]

# What a camera typically looks at, in metres. Medians of depth within these bounds are taken for
# metres or millimetres; everything else could be anything.
NEAREST, FURTHEST = 0.25, 15.0
# Neighbours that differ by more than this share lie on both sides of an edge, where depth cameras
# measure neither.
MAX_STEP = 0.05


class DepthAlongRays(Protocol):
    """What knows how far one view sees."""

    def along(self, rays: Array) -> Array:
        """Depth (N,) along the optical axis, scene units, of what rays (N, 2) at z = 1 hit.

        NaN where nobody knows: outside the image, beyond the fold of its lens, in holes and at
        edges, where a ray may hit one side or the other.
        """


@dataclass(frozen=True)
class DepthMap:
    """Measured depth of one view.

    Attributes:
        values: (H, W) distance along the optical axis in scene units, NaN where nothing was
            measured.
        camera: intrinsics at that size; it stands where the colour camera stands.
    """

    values: NDArray[np.float32]
    camera: Camera

    def along(self, rays: Array) -> Array:
        """Depth (N,) along rays (N, 2) at z = 1; see ``DepthAlongRays``.

        The median of a 5x5 neighbourhood, of which every other pixel must have been measured.
        """
        height, width = self.values.shape
        pixels = np.floor(self.camera.pixels(rays))
        with np.errstate(invalid="ignore"):
            within = (pixels >= 2) & (pixels < (width - 2, height - 2))
        inside = np.asarray(within.all(axis=1))
        inside[inside] = self.camera.sees(rays[inside])
        depths = np.full(len(rays), np.nan)
        x, y = pixels[inside].astype(int).T
        near = np.stack(
            [self.values[y + dy, x + dx] for dy in (-2, 0, 2) for dx in (-2, 0, 2)], axis=1
        ).astype(np.float64)
        middle = np.median(near, axis=1)
        with np.errstate(invalid="ignore"):
            smooth = np.ptp(near, axis=1) <= MAX_STEP * middle
        depths[inside] = np.where(smooth, middle, np.nan)
        return depths


def read_depth_map(depth: Depth, *, may_be_empty: bool = False) -> DepthMap:
    """The depth that a file holds, in scene units.

    Args:
        depth: the file.
        may_be_empty: take one in which nothing was measured.

    Raises:
        ImageError: as ``read_depth``; the file has another size than its camera; it holds not one
            measurement.
    """
    stored, measured = stored_depth(depth)
    height, width = stored.shape
    if (width, height) != (depth.camera.width, depth.camera.height):
        raise ImageError(
            f"{depth.path}: is {width}x{height}, its camera {depth.camera.width}x"
            f"{depth.camera.height}; give the depth camera's own intrinsics"
        )
    if not may_be_empty and not measured.any():
        raise ImageError(f"{depth.path}: not one pixel was measured; go without its depth")
    values = np.where(measured, stored * np.float32(depth.unit), np.float32(np.nan))
    return DepthMap(values.astype(np.float32), depth.camera)


def stored_depth(
    depth: Depth,
) -> tuple[NDArray[np.uint16] | NDArray[np.float32], NDArray[np.bool_]]:
    """The values (H, W) that a file holds, and which of them are measurements to rely on.

    Raises:
        ImageError: as ``read_depth``; the confidence has another size.
    """
    stored = read_depth(depth.path)
    measured = _measured(stored, depth.invalid)
    if depth.confidence is not None:
        confidence = read_depth(depth.confidence)
        if confidence.shape != stored.shape:
            raise ImageError(
                f"{depth.confidence}: has another size than {depth.path.name}; export both again"
            )
        measured &= confidence >= depth.least
    return stored, measured


def guessed_unit(paths: Iterable[Path]) -> float:
    """Metres per stored step, 0.001 or 1, from the first file with a measurement.

    Raises:
        ImageError: as ``read_depth``; the values could be metres, millimetres or something else;
            no file holds a measurement.
    """
    path: Path | None = None
    damage: ImageError | None = None
    for path in paths:
        try:
            stored = read_depth(path)
        except ImageError as error:  # of one image; the others may tell
            damage = error
            continue
        measured = _measured(stored, (0, 65535))
        if not measured.any():
            continue
        typical = float(np.median(stored[measured]))
        fits = [unit for unit in (0.001, 1.0) if NEAREST <= typical * unit <= FURTHEST]
        # Whole metres are no measurement.
        if fits == [0.001] or (fits == [1.0] and stored.dtype == np.float32):
            return fits[0]
        raise ImageError(
            f"{path}: cannot tell the unit of depth around {typical:g}; say mm, m, or metres per "
            "step with --depth-unit"
        )
    raise damage or ImageError(f"{path}: not one pixel was measured; go without its depth")


def _measured(stored: NDArray[Any], invalid: tuple[int, ...]) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = np.isfinite(stored) & (stored > 0) & ~np.isin(stored, invalid)
    return good
