"""The focal length of a photo of which nothing is known but what it shows.

Landmarks at different depths agree with one focal length only. Some are tried that lenses of phones
and cameras have; the one that most landmarks agree with is refined together with the pose.
"""

import math
from collections.abc import Sequence

from reloc.geometry import Camera
from reloc.landmarks.keypoints import Keypoints
from reloc.localize.landmark_solver import LandmarkSolution, LandmarkSolver

# Focal lengths that are tried first, in long sides of the picture: 20 to 80 mm of a 35 mm camera.
# The steps are so small that a pose is found from any focal length between.
TRIED = (0.56, 0.72, 0.92, 1.18, 1.5, 2.0)
# The search ends where no more landmarks agree, or after so many rounds.
ROUNDS = 4
# A focal length that is known no better than this share is none: a plane in front, or too few
# landmarks. So it is where the fit beside the best pose still wants to go farther than that.
LARGEST_DEVIATION, LARGEST_STEP = 0.03, 0.08


def searched_camera(
    solver: LandmarkSolver, keypoints: Keypoints, *, width: int, height: int
) -> Camera | None:
    """The pinhole camera that landmarks agree with best.

    Args:
        solver: for all landmarks of the map.
        keypoints: of the photo.
        width: of the photo, in pixels.
        height: of the photo.

    Returns:
        None where no pose is found beyond chance, or where it leaves the focal length open.
    """
    side = max(width, height)
    tried = [Camera.pinhole(width=width, height=height, fx=share * side) for share in TRIED]
    found = _best(solver, keypoints, tried)
    for _ in range(ROUNDS):
        if found is None or found[1].focal is None:
            return None
        focal = found[1].focal.ratio * found[0].focal
        camera = Camera.pinhole(width=width, height=height, fx=focal)
        better = _best(solver, keypoints, [camera])
        if better is None or better[1].inliers <= found[1].inliers:
            break
        found = better
    if found is None or found[1].focal is None:
        return None
    fit = found[1].focal
    settled = abs(math.log(fit.ratio)) < LARGEST_STEP and fit.deviation < LARGEST_DEVIATION
    return found[0] if settled else None


def _best(
    solver: LandmarkSolver, keypoints: Keypoints, cameras: Sequence[Camera]
) -> tuple[Camera, LandmarkSolution] | None:
    """The camera that most landmarks agree with, and the pose; None if none is beyond chance."""
    solved = [(camera, solver.solve(keypoints, camera, None)) for camera in cameras]
    sure = [(c, found) for c, found in solved if found is not None and found.confidence >= 0.5]
    return max(sure, key=lambda pair: pair[1].inliers, default=None)
