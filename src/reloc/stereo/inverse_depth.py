"""How far a frame sees, on a coarse grid over its image."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry.grids import grid_pixels

Array = NDArray[np.float64]

# Between neighbouring samples that differ by more than this share runs the edge of something: what
# lies between them is one or the other, not a mixture.
EDGE = 0.15
# Where they differ by more than this, not even the nearest one can be trusted.
CLIFF = 0.5


# Surfaces are drawn from samples this many times finer than they were measured, so that they stay
# closed.
FINER = 4


@dataclass(frozen=True)
class FineDepth:
    """Inverse depth of a fine grid without gaps: for drawing, not for measuring.

    Attributes:
        first: (2,) pixel (x, y) of the original image that the first sample looks at.
        step: (2,) pixels from one sample to the next, by axis.
        shape: rows and columns.
        values: (rows * columns,) float32, row by row.
        known: (rows * columns,) whether that was measured.
        median: of the values.
    """

    first: Array
    step: Array
    shape: tuple[int, int]
    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    median: float


@dataclass(frozen=True)
class InverseDepth:
    """One over the depth (z in the camera frame) of a grid of pixels of an image.

    Attributes:
        values: (h, w) float32, per scene unit; NaN where nobody knows.
        first: (2,) pixel (x, y) of the original image that the first sample looks at.
        step: (2,) pixels from one sample to the next, by axis.
    """

    values: NDArray[np.float32]
    first: Array
    step: Array

    @cached_property
    def filled(self) -> NDArray[np.float32]:
        """The values, with gaps closed from around them: for drawing, not for measuring."""
        known = np.isfinite(self.values)
        if not known.any():
            return np.ones_like(self.values)
        weight = known.astype(np.float32)
        filled = np.where(known, self.values, 0).astype(np.float32)
        weighted = filled.copy()
        spread = 1.0
        while not known.all() and spread < 64:
            total = np.asarray(cv2.GaussianBlur(weight, (0, 0), spread))
            mean = np.asarray(cv2.GaussianBlur(weighted, (0, 0), spread))
            near = ~known & (total > 0.01)
            filled[near] = mean[near] / total[near]
            known |= near
            spread *= 2
        filled[~known] = np.nanmedian(self.values)
        return filled

    @cached_property
    def fine(self) -> FineDepth:
        """The values on a grid that is ``FINER`` times finer."""
        height, width = (side * FINER for side in self.values.shape)
        values = cv2.resize(self.filled, (width, height), interpolation=cv2.INTER_LINEAR)
        first, step = self.first + (0.5 / FINER - 0.5) * self.step, self.step / FINER
        shape = (height, width)
        known = np.isfinite(self.at(grid_pixels(first, step, shape)))
        flat = np.asarray(values, np.float32).ravel()
        return FineDepth(first, step, shape, flat, known, float(np.median(flat)))

    def at(self, pixels: Array) -> NDArray[np.float32]:
        """Inverse depths (N,) at pixels (N, 2) of the original image; NaN where not known.

        Linear between samples on one surface, the nearest sample where an edge runs between them.
        """
        height, width = self.values.shape
        place = (pixels - self.first) / self.step
        corner = np.clip(np.floor(place), 0, (max(width - 2, 0), max(height - 2, 0))).astype(int)
        part = np.clip(place - corner, 0, 1)
        column, row = corner.T
        right, below = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
        around = np.stack(
            [
                self.values[row, column],
                self.values[row, right],
                self.values[below, column],
                self.values[below, right],
            ]
        )
        x, y = part.T
        weights = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])
        known = np.isfinite(around)
        low = np.where(known, around, np.inf).min(axis=0)
        high = np.where(known, around, -np.inf).max(axis=0)
        linear = (np.where(known, around, 0) * weights).sum(axis=0)
        nearest = np.take_along_axis(around, weights.argmax(axis=0)[None], axis=0)[0]
        smooth = known.all(axis=0) & (high < low * (1 + EDGE))
        value = np.where(smooth, linear, nearest)
        return np.where(high < low * (1 + CLIFF), value, np.nan).astype(np.float32)
