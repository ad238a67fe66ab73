"""Quarter turns: pictures that are stored lying on a side or upside down, and their cameras.

A turn counts quarter turns clockwise, 0 to 3. Of a picture turned so, the homography below says
where its pixels were before, and the camera is again of the same model: every lens of
``CAMERA_MODELS`` can be described from any side.
"""

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError
from reloc.geometry.cameras import Camera

Array = NDArray[np.float64]

# Models whose distortion is the same in all directions turn without a change of it.
_RADIAL = {
    "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV_FISHEYE", "FOV",
    "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE",
}  # fmt: skip
_ONE_FOCAL = {
    "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE",
}  # fmt: skip
# Where p1 and p2, and sx1 and sy1, stand among the coefficients of the others.
_TANGENTIAL = {"OPENCV": 2, "FULL_OPENCV": 2, "THIN_PRISM_FISHEYE": 2}
_PRISM = {"THIN_PRISM_FISHEYE": 6}


def turned_size(width: int, height: int, turn: int) -> tuple[int, int]:
    """Width and height of a picture after a turn."""
    return (height, width) if turn % 2 else (width, height)


def original_from_turned(width: int, height: int, turn: int) -> Array:
    """Homography (3, 3) from pixels of a turned picture to those before the turn.

    Args:
        width: before the turn, in pixels.
        height: before the turn.
        turn: quarter turns clockwise.
    """
    w, h = float(width), float(height)
    matrices = (
        np.eye(3),
        np.array([[0, 1, 0], [-1, 0, h], [0, 0, 1.0]]),
        np.array([[-1, 0, w], [0, -1, h], [0, 0, 1.0]]),
        np.array([[0, -1, w], [1, 0, 0], [0, 0, 1.0]]),
    )
    return matrices[turn % 4]


def turned_camera(camera: Camera, turn: int) -> Camera:
    """The camera of a picture after a turn, in axes that turn with it.

    Args:
        camera: before the turn.
        turn: quarter turns clockwise.

    Raises:
        CameraError: it is not known how the distortion of this model turns.
    """
    for _ in range(turn % 4):
        camera = _quarter_turned(camera)
    return camera


def _quarter_turned(camera: Camera) -> Camera:
    """By one quarter clockwise: (x, y) comes to (height - y, x)."""
    model, coefficients = camera.model, list(camera.distortion)
    if model not in _RADIAL and model not in _TANGENTIAL:
        raise CameraError(
            f"a {model} camera cannot be turned; store the picture upright or give the camera as "
            "another model"
        )
    if model in _TANGENTIAL:
        # p2 and p1 bend towards x and y, sx1 and sy1 likewise: both are vectors that turn.
        at = _TANGENTIAL[model]
        p1, p2 = coefficients[at : at + 2]
        coefficients[at : at + 2] = p2, -p1
    if model in _PRISM:
        at = _PRISM[model]
        sx1, sy1 = coefficients[at : at + 2]
        coefficients[at : at + 2] = -sy1, sx1
    focals = (camera.fx,) if model in _ONE_FOCAL else (camera.fy, camera.fx)
    center = (camera.height - camera.cy, camera.cx)
    return Camera(model, camera.height, camera.width, (*focals, *center, *coefficients))
