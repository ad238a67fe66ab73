"""Landmarks of a place: what a map keeps of triangulated points."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.images.sift import LENGTH
from reloc.landmarks.compact import Codes, DescriptorBasis
from reloc.landmarks.vantages import Vantages

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# More do not make a pose better, and matching among all takes time in proportion.
MAX_LANDMARKS = 100_000


@dataclass(frozen=True)
class Landmarks:
    """Points of a place with what they look like.

    Attributes:
        points: (N, 3) float64, world frame.
        deviations: (N,) float32 standard deviation of each point along its worst direction, for
            keypoints that err by a pixel of the image that was searched; scene units.
        directions: (N, 3) float32 mean unit vector from the point to the cameras that saw it.
        spreads: (N,) float32 largest angle between it and one of these cameras, in radians.
        sizes: (N,) float32 diameter of what the descriptor describes, in scene units.
        descriptors: (N, D) int8 mean descriptors of the views, in codes of ``basis``.
        basis: of the descriptors.
        bits: that a file takes for each number of a descriptor.
        vantages: from where they were seen; None in maps that do not tell it.
    """

    points: Array
    deviations: NDArray[np.float32]
    directions: NDArray[np.float32]
    spreads: NDArray[np.float32]
    sizes: NDArray[np.float32]
    descriptors: Codes
    basis: DescriptorBasis
    bits: int = 6
    vantages: Vantages | None = None

    def __len__(self) -> int:
        return len(self.points)

    def subset(self, rows: Indices) -> "Landmarks":
        """Some of them, in the order of ``rows``."""
        return replace(
            self,
            points=self.points[rows],
            deviations=self.deviations[rows],
            directions=self.directions[rows],
            spreads=self.spreads[rows],
            sizes=self.sizes[rows],
            descriptors=self.descriptors[rows],
            vantages=None if self.vantages is None else self.vantages.subset(rows),
        )


def no_landmarks() -> Landmarks:
    """The landmarks of a place where there are none."""
    none, basis = np.zeros(0, np.float32), DescriptorBasis.of(np.zeros((0, LENGTH), np.float32))
    points = np.zeros((0, 3))
    codes = basis.codes(np.zeros((0, LENGTH), np.float32))
    return Landmarks(points, none, points.astype(np.float32), none, none, codes, basis)
