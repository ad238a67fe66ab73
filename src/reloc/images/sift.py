"""SIFT (Lowe 2004) of an image, in pixels whose centers are at +0.5."""

import cv2
import numpy as np
from numpy.typing import NDArray

LENGTH = 128
# Where OpenCV puts what is at (0, 0) of an image. It has pixel centers at whole numbers. For its
# first octave it doubles the image, which leaves pixel i at 2 i + 1/2, and takes that for 2 i. Its
# precise upscaling has no such shift, but blurs every other pixel of the double and not those
# between: of a warped photo a few keypoints fewer are found again, a little farther off.
ORIGIN = np.float32(-0.5 + 0.25)


def sift(
    image: NDArray[np.uint8], *, most: int, contrast: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The strongest keypoints of a gray image (H, W), the strongest first.

    Args:
        image: gray pixels.
        most: keypoints, at most.
        contrast: the least that a keypoint has, at OpenCV's scale.

    Returns:
        Pixels (K, 2), diameters (K,) of what was described in pixels, and descriptors (K, 128).
    """
    detector = cv2.SIFT_create(  # type: ignore[attr-defined]  # missing in OpenCV's stubs
        nfeatures=most, contrastThreshold=contrast
    )
    found, descriptors = detector.detectAndCompute(image, None)
    # OpenCV may return a few more than asked for where the last ones are equally strong.
    found = found[:most]
    if not found:
        none = np.zeros(0, np.float32)
        return none.reshape(0, 2), none, none.reshape(0, LENGTH)
    pixels = np.array([point.pt for point in found], np.float32) - ORIGIN
    sizes = np.array([point.size for point in found], np.float32)
    return pixels, sizes, descriptors[: len(found)]
