"""2D-3D correspondences: what every pose is solved from, whoever found them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Kind(IntEnum):
    """Who found a correspondence."""

    CELL = 0  # a head, for a cell of the backbone
    LANDMARK = 1  # the match of a keypoint with a landmark of the map


@dataclass(frozen=True, eq=False)
class Correspondences:
    """N points of the scene and where one image shows them.

    Attributes:
        scene_coordinates: (N, 3) float64, world frame or around the origin of a region.
        rays: (N, 2) float64 viewing rays at z = 1, camera frame.
        focal: pixels of the resampled image per unit at z = 1; sets the unit of errors.
        sigmas: (N,) expected reprojection errors in such pixels: a correspondence weighs
            1 / sigma^2, and thresholds of solvers are multiples of it. Cells have 1.
        kinds: (N,) ``Kind`` of each.
        depths: (N,) measured along the optical axis, scene units, NaN where nothing was; None if
            nothing was measured at all.
        pixels: (N, 2) of the image as stored, None if nobody needs them.
    """

    scene_coordinates: Array
    rays: Array
    focal: float
    sigmas: Array
    kinds: NDArray[np.uint8]
    depths: Array | None = None
    pixels: Array | None = None

    @classmethod
    def of_kind(
        cls,
        kind: Kind,
        scene_coordinates: Array,
        rays: Array,
        focal: float,
        *,
        sigma: float | Array = 1.0,
        depths: Array | None = None,
        pixels: Array | None = None,
    ) -> "Correspondences":
        """Correspondences of one kind.

        Args:
            kind: of all.
            scene_coordinates: (N, 3), world frame.
            rays: (N, 2) at z = 1, camera frame.
            focal: pixels per unit at z = 1.
            sigma: of all, or (N,).
            depths: (N,) if they are measured.
            pixels: (N, 2) of the image.
        """
        count = len(scene_coordinates)
        return cls(
            scene_coordinates,
            rays,
            focal,
            np.broadcast_to(np.asarray(sigma, np.float64), count),
            np.full(count, kind, np.uint8),
            depths,
            pixels,
        )

    def __len__(self) -> int:
        return len(self.scene_coordinates)

    def __getitem__(self, rows: Mask | NDArray[np.intp]) -> "Correspondences":
        """Those of some rows, by a mask (N,) or by indices."""
        return Correspondences(
            self.scene_coordinates[rows],
            self.rays[rows],
            self.focal,
            self.sigmas[rows],
            self.kinds[rows],
            None if self.depths is None else self.depths[rows],
            None if self.pixels is None else self.pixels[rows],
        )

    @property
    def are_alike(self) -> bool:
        """Whether all have one sigma."""
        return bool((self.sigmas == self.sigmas[:1]).all())


def concatenated(parts: Sequence[Correspondences]) -> Correspondences:
    """All correspondences of one image in one frame; the parts are at least one.

    A part with another focal length is brought to that of the first, its sigmas with it.
    """
    focal = parts[0].focal
    measured = any(part.depths is not None for part in parts)
    shown = any(part.pixels is not None for part in parts)
    return Correspondences(
        np.concatenate([part.scene_coordinates for part in parts]),
        np.concatenate([part.rays for part in parts]),
        focal,
        np.concatenate([part.sigmas * (focal / part.focal) for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([_or_nan(part.depths, len(part)) for part in parts]) if measured else None,
        np.concatenate([_or_nan(part.pixels, (len(part), 2)) for part in parts]) if shown else None,
    )


def _or_nan(values: Array | None, shape: int | tuple[int, int]) -> Array:
    return np.full(shape, np.nan) if values is None else values
