"""Where a photo whose pose is known shows landmarks."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.landmarks.keypoints import detect_keypoints
from reloc.landmarks.matching import LandmarkMatcher, seen_keypoints

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def shown_landmarks(
    matcher: LandmarkMatcher,
    photo: NDArray[np.uint8],
    world_from_cam: Array,
    camera: Camera,
    *,
    window: float,
) -> tuple[Array, Indices]:
    """The keypoints of a photo that look like the landmarks that should be there.

    Args:
        matcher: of the landmarks of a map.
        photo: (H, W, 3) RGB.
        world_from_cam: (4, 4) pose of the photo.
        camera: of the photo, at its size.
        window: pixels along either axis between a landmark and its keypoint, at most.

    Returns:
        Pixels (M, 2) of the keypoints and rows (M,) of the landmarks.
    """
    keypoints = detect_keypoints(np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8))
    seen = seen_keypoints(keypoints, camera, matcher.landmarks)
    keys, rows = matcher.in_windows(seen, world_from_cam, camera, window=window)
    return seen.pixels[keys], rows
