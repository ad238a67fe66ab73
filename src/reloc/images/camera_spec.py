"""Cameras as a user types them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reloc.errors import CameraError
from reloc.geometry import CAMERA_MODELS, Camera

HELP = (
    "give a focal length in pixels, fx,fy,cx,cy, a COLMAP line such as "
    "'OPENCV 640 480 fx fy cx cy k1 k2 p1 p2', or a file that holds one of these or a 3x3 matrix"
)
MAX_FILE_BYTES = 100_000


def parse_camera(text: str, *, width: int, height: int, turn: int = 0) -> Camera:
    """The camera that a text or the file it names describes.

    Args:
        text: a focal length; ``fx,fy,cx,cy``; a COLMAP model with size and parameters (the line of
            cameras.txt, with or without its id); or the path of a file with one of these or a 3x3
            calibration matrix.
        width: of the image, for texts that do not tell.
        height: of the image.
        turn: quarter turns that make the stored image upright. Of a picture on its side, a
            principal point may be that of the upright one: it is, where it is nearer to its middle.

    Returns:
        The camera at its own size; without one, at that of the image, or of the upright picture.

    Raises:
        CameraError: it describes no camera.
    """
    path = Path(text)
    sizes = [(width, height), (height, width)] if turn % 2 else [(width, height)]
    if not _is_file(path):
        return _parsed(text, sizes)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CameraError("too large to describe a camera")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        content = [line for line in lines if line.strip() and not line.startswith("#")]
        models = [line for line in content if any(w in CAMERA_MODELS for w in line.split())]
        if len(models) > 1:
            raise CameraError(f"holds {len(models)} cameras; give one of its lines")
        return _parsed(" ".join(content), sizes)
    except CameraError as error:
        raise CameraError(f"{path}: {error}") from error
    except OSError as error:
        raise CameraError(f"{path}: cannot be read ({error.strerror})") from error


def _is_file(path: Path) -> bool:
    """Whether a text names a file; the parameters of a camera may be too long for a name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _parsed(text: str, sizes: Sequence[tuple[int, int]]) -> Camera:
    words = text.replace(",", " ").split()
    model = next((i for i, word in enumerate(words[:2]) if word in CAMERA_MODELS), None)
    try:
        if model is not None:
            size, params = words[model + 1 : model + 3], words[model + 3 :]
            return Camera(words[model], int(size[0]), int(size[1]), tuple(float(p) for p in params))
        values = [float(word) for word in words]
    except (ValueError, IndexError) as error:
        raise CameraError(f"{text[:80]!r} describes no camera; {HELP}") from error
    if len(values) == 1:
        width, height = sizes[0]
        return Camera.pinhole(width=width, height=height, fx=values[0])
    if len(values) == 4:
        fx, fy, cx, cy = values
        return _centered(fx, fy, cx, cy, sizes)
    if len(values) == 9:
        matrix = np.array(values).reshape(3, 3)
        if np.allclose(matrix[[0, 1, 2, 2, 2], [1, 0, 0, 1, 2]], [0, 0, 0, 0, 1]):
            return _centered(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], sizes)
    raise CameraError(f"{text[:80]!r} describes no camera; {HELP}")


def _centered(
    fx: float, fy: float, cx: float, cy: float, sizes: Sequence[tuple[int, int]]
) -> Camera:
    """A pinhole camera at the size whose middle its principal point is nearest to."""
    width, height = min(sizes, key=lambda size: np.hypot(cx - size[0] / 2, cy - size[1] / 2))
    return Camera.pinhole(width=width, height=height, fx=fx, fy=fy, cx=cx, cy=cy)
