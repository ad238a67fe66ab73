"""Keypoints of an image with descriptors: SIFT (Lowe 2004), as RootSIFT (Arandjelovic 2012)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.images.sift import LENGTH, sift

Array = NDArray[np.float64]

# Of unit descriptors as they are kept in bytes.
NORM = 512
# Finer detail than this costs time and is rarely seen again from elsewhere.
SHORT_SIDE, LONG_SIDE = 480, 1600


@dataclass(frozen=True)
class Keypoints:
    """What is found in one image, the strongest first.

    Attributes:
        pixels: (K, 2) float32 of the image as it was read.
        sizes: (K,) float32 diameters of what was described, in pixels of the image as it was read.
        descriptors: (K, 128) uint8 RootSIFT of length ``NORM``.
    """

    pixels: NDArray[np.float32]
    sizes: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)


def searched_scale(width: int, height: int) -> float:
    """Of an image of this size to the one that is searched for keypoints; 1 at most."""
    return min(1.0, SHORT_SIDE / min(width, height), LONG_SIDE / max(width, height))


def detect_keypoints(
    image: NDArray[np.uint8], *, most: int = 2048, scale: float | None = None
) -> Keypoints:
    """The strongest keypoints of a gray image (H, W).

    Args:
        image: gray pixels.
        most: keypoints, at most.
        scale: of the image to the one that is searched; ``searched_scale`` by default.
    """
    height, width = image.shape
    shrunk = searched_scale(width, height) if scale is None else scale
    if shrunk < 1:
        size = (max(1, round(shrunk * width)), max(1, round(shrunk * height)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    # The contrast threshold is COLMAP's, at OpenCV's scale.
    found, diameters, descriptors = sift(image, most=most, contrast=0.02)
    across = np.array([width, height], np.float32) / image.shape[::-1]
    pixels = found * across.astype(np.float32)
    sizes = diameters / np.float32(shrunk)
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    stored = np.clip(np.rint(NORM * roots), 0, 255).astype(np.uint8)
    return Keypoints(pixels, sizes, stored)


def unit_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Descriptors (K, 128) as they are stored, at unit length in float32."""
    found = descriptors.astype(np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-6))


def no_keypoints() -> Keypoints:
    """What is found in an image of nothing."""
    return Keypoints(
        np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, LENGTH), np.uint8)
    )
