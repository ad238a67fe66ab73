"""Which landmarks of a map agree with the pose that was estimated for a photo."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.landmarks.matching import LandmarkMatcher
from reloc.landmarks.showing import shown_landmarks
from reloc.localize.landmark_solver import LandmarkSolverOptions
from reloc.pose.solver import REFERENCE_SHORT_SIDE

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def agreeing_landmarks(
    matcher: LandmarkMatcher, photo: NDArray[np.uint8], world_from_cam: Array, camera: Camera
) -> tuple[Array, Indices]:
    """The landmarks that a photo shows where a pose says, by the rule that localization goes by.

    An estimate holds their number only. They are matched anew, at its pose, which a few at the
    limit may tell from those that were counted.

    Args:
        matcher: of the landmarks of the map.
        photo: (H, W, 3) RGB.
        world_from_cam: (4, 4) estimated pose.
        camera: of the photo, at its size.

    Returns:
        Pixels (M, 2) of the keypoints and rows (M,) of the landmarks.
    """
    rule = LandmarkSolverOptions()
    unit = min(camera.width, camera.height) / REFERENCE_SHORT_SIDE
    pixels, rows = shown_landmarks(
        matcher, photo, world_from_cam, camera, window=unit * rule.windows[-1]
    )
    local = transformed(inverted(world_from_cam), matcher.landmarks.points[rows])
    near = np.linalg.norm(camera.project(local) - pixels, axis=1) < unit * rule.gate
    return pixels[near], rows[near]
