"""Short descriptors: RootSIFT along the principal directions of a place, in a byte each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int8]

DIMENSIONS = 32
# A coordinate of so many standard deviations of the widest direction is the largest code.
WIDEST = 4.0


@dataclass(frozen=True)
class DescriptorBasis:
    """Directions in which the descriptors of a place differ most.

    Attributes:
        mean: (128,) float32 of its descriptors, of unit length before.
        directions: (128, D) float32, orthonormal.
        step: length of a descriptor that a code counts.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]
    step: float

    @classmethod
    def of(cls, descriptors: NDArray[np.float32]) -> "DescriptorBasis":
        """The basis of descriptors (N, 128) of unit length; N may be zero."""
        length = descriptors.shape[1]
        if not len(descriptors):
            none = np.eye(length, DIMENSIONS, dtype=np.float32)
            return cls(np.zeros(length, np.float32), none, 1.0)
        mean = descriptors.mean(axis=0, dtype=np.float64)
        apart = descriptors - mean
        values, vectors = np.linalg.eigh(apart.T @ apart / len(apart))
        # Half precision is what files keep.
        directions = vectors[:, ::-1][:, :DIMENSIONS].astype(np.float16).astype(np.float32)
        step = WIDEST * np.sqrt(max(float(values[-1]), 1e-12)) / 127
        return cls(mean.astype(np.float16).astype(np.float32), directions, float(np.float32(step)))

    def coordinates(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) along the directions, in steps, of descriptors (N, 128) of unit length."""
        along = (descriptors - self.mean) @ (self.directions / np.float32(self.step))
        return along.astype(np.float32, copy=False)

    def approximated(self, codes: Codes) -> NDArray[np.float32]:
        """Descriptors (N, 128) that codes (N, D) stand for."""
        along = codes.astype(np.float32) * np.float32(self.step)
        return (along @ self.directions.T + self.mean).astype(np.float32, copy=False)

    def codes(self, descriptors: NDArray[np.float32]) -> Codes:
        """(N, D) int8, rounded coordinates."""
        return np.clip(np.rint(self.coordinates(descriptors)), -127, 127).astype(np.int8)
