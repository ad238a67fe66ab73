"""The files of a COLMAP model, binary and text: cameras, images, points3D.

The ``rigs`` and ``frames`` files of newer models are not needed: ``images`` still holds the pose of
each image. Counts in a file are never trusted: nothing is allocated by them, and every read is
checked against the end of the file.
"""

import mmap
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError, SceneError
from reloc.geometry import Camera
from reloc.scenes.raw import PANORAMA_CAMERA, CameraSource, no_camera
from reloc.scenes.scene import Array
from reloc.scenes.text import TEXT_ENCODING

MAX_NAME_BYTES = 4096

# Model ids of COLMAP's src/colmap/sensor/models.h, with the number of parameters: needed to step
# over models that ``Camera`` does not know.
MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    12: ("SIMPLE_DIVISION", 4),
    13: ("DIVISION", 5),
    14: ("SIMPLE_FISHEYE", 3),
    15: ("FISHEYE", 4),
    16: ("EUCM", 6),
    17: ("EQUIRECTANGULAR", 2),
}


@dataclass(frozen=True)
class PosedImage:
    """An entry of ``images``.

    Attributes:
        name: of the image file.
        camera_id: of the camera.
        quaternion: camera-from-world, wxyz.
        translation: camera-from-world.
        point_ids: ids of the points that the image saw, if these were asked for.
        pixels: where it saw them, one (x, y) for each of ``point_ids``.
    """

    name: str
    camera_id: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    point_ids: tuple[int, ...] = ()
    pixels: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Points:
    """Triangulated points of a model.

    Attributes:
        ids: (N,) int64, COLMAP's point ids.
        xyz: (N, 3) float64 in the world.
        rgb: (N, 3) uint8.
        error: (N,) float64 mean reprojection error in pixels; -1 where the file has none.
        track_length: (N,) int64, images that see the point.
    """

    ids: NDArray[np.int64]
    xyz: Array
    rgb: NDArray[np.uint8]
    error: Array
    track_length: NDArray[np.int64]


def model_file(folder: Path, name: str) -> Path | None:
    """``cameras``, ``images`` or ``points3D`` of a model folder: binary, else text, else None."""
    for suffix in (".bin", ".txt"):
        path = folder / (name + suffix)
        if path.is_file():
            return path
    return None


def read_cameras(path: Path) -> dict[int, CameraSource]:
    """Cameras by id. Those without a usable model refuse with CameraError when asked.

    Raises:
        SceneError: the file is truncated or malformed.
    """
    binary = path.suffix == ".bin"
    rows = _binary_cameras(path) if binary else _text_rows(path, _text_camera)
    cameras: dict[int, CameraSource] = {}
    for camera_id, model, width, height, params in rows:
        if model == "EQUIRECTANGULAR":
            cameras[camera_id] = PANORAMA_CAMERA
            continue
        try:
            cameras[camera_id] = Camera(model, width, height, params)
        except CameraError as error:
            cameras[camera_id] = no_camera(f"{path}: camera {str(camera_id)[:20]}: {error}")
    return cameras


def read_posed_images(path: Path, *, points: bool = False) -> list[PosedImage]:
    """The images of a model, in the order of the file.

    Args:
        path: the file.
        points: read which points each image saw as well.

    Raises:
        SceneError: the file is truncated or malformed.
    """
    if path.suffix == ".bin":
        return list(_binary_images(path, points=points))
    return list(_text_rows(path, partial(_text_image, points=points), second=_is_seen_line))


def read_points(folder: Path) -> Points:
    """The triangulated points of a model folder (``sparse/0``).

    Raises:
        SceneError: there is no points3D file, or it is truncated or malformed.
    """
    path = model_file(folder, "points3D")
    if path is None:
        raise SceneError(f"{folder}: no points3D.bin or points3D.txt; export the model again")
    rows = list(_binary_points(path) if path.suffix == ".bin" else _text_rows(path, _text_point))
    values = np.array([row[1:8] for row in rows], dtype=np.float64).reshape(-1, 7)
    return Points(
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        xyz=values[:, :3],
        rgb=values[:, 3:6].astype(np.uint8),
        error=values[:, 6],
        track_length=np.array([row[8] for row in rows], dtype=np.int64),
    )


class _Cursor:
    """Reads a binary file from front to back and never past its end."""

    def __init__(self, path: Path, data: mmap.mmap | bytes) -> None:
        self._path, self._data, self._at = path, data, 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        start = self._at
        self.skip(layout.size)
        return layout.unpack_from(self._data, start)

    def bytes(self, size: int) -> bytes:
        start = self._at
        self.skip(size)
        return self._data[start : self._at]

    def skip(self, size: int) -> None:
        if size > len(self._data) - self._at:
            raise SceneError(f"{self._path}: cut short or damaged; export the COLMAP model again")
        self._at += size

    def name(self) -> str:
        end = self._data.find(b"\0", self._at, self._at + MAX_NAME_BYTES)
        if end < 0:
            raise SceneError(f"{self._path}: an image name does not end; export the model again")
        raw = self._data[self._at : end]
        self._at = end + 1
        return raw.decode(sys.getfilesystemencoding(), errors="surrogateescape")


@contextmanager
def _opened(path: Path) -> Iterator[_Cursor]:
    with path.open("rb") as file:
        if not path.stat().st_size:  # an empty file cannot be mapped
            yield _Cursor(path, b"")
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield _Cursor(path, data)


# Fixed parts of the entries of the binary files.
COUNT = struct.Struct("<Q")
CAMERA = struct.Struct("<IiQQ")
IMAGE = struct.Struct("<I4d3dI")
POINT = struct.Struct("<Q3d3BdQ")
_POINT2D = np.dtype([("xy", "<2f8"), ("id", "<i8")])
_TRACK_BYTES = 8

CameraRow = tuple[int, str, int, int, tuple[float, ...]]
PointRow = tuple[int, float, float, float, int, int, int, float, int]


def _binary_cameras(path: Path) -> Iterator[CameraRow]:
    with _opened(path) as cursor:
        (count,) = cursor.take(COUNT)
        for _ in range(count):
            camera_id, model_id, width, height = cursor.take(CAMERA)
            if model_id not in MODELS:
                raise SceneError(
                    f"{path}: camera {camera_id} has the unknown model id {model_id}; "
                    "undistort the images with COLMAP and use the PINHOLE model it writes"
                )
            model, parameters = MODELS[model_id]
            params = cursor.take(struct.Struct(f"<{parameters}d"))
            yield camera_id, model, width, height, params


def _binary_images(path: Path, *, points: bool) -> Iterator[PosedImage]:
    with _opened(path) as cursor:
        (count,) = cursor.take(COUNT)
        for _ in range(count):
            values = cursor.take(IMAGE)
            name = cursor.name()
            (seen,) = cursor.take(COUNT)
            raw = cursor.bytes(seen * _POINT2D.itemsize)
            rows = np.frombuffer(raw, _POINT2D) if points else np.zeros(0, _POINT2D)
            yield PosedImage(name, values[8], values[1:5], values[5:8], *_triangulated(rows))


def _binary_points(path: Path) -> Iterator[PointRow]:
    with _opened(path) as cursor:
        (count,) = cursor.take(COUNT)
        for _ in range(count):
            *row, track = cursor.take(POINT)
            cursor.skip(track * _TRACK_BYTES)
            if row[0] >= 1 << 63:
                raise SceneError(f"{path}: impossible point id {row[0]}; export the model again")
            yield (*row, track)


def _text_rows(
    path: Path,
    parse: Callable[..., tuple[Any, ...] | PosedImage],
    *,
    second: Callable[[str], bool] | None = None,
) -> Iterator[Any]:
    """Parsed lines.

    If ``second`` is given, each comes with the line after it, where ``second`` says that this
    belongs to it, else with an empty one.
    """
    with path.open(encoding=TEXT_ENCODING, errors="surrogateescape") as file:
        lines = _Lines(file)
        for line in lines:
            if "\0" in line:
                raise SceneError(f"{path}: not a text file; export the COLMAP model again")
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            number = lines.number
            rest = (lines.take_if(second),) if second else ()
            try:
                yield parse(line.strip(), *rest)
            except (ValueError, IndexError, OverflowError) as error:
                raise SceneError(
                    f"{path}:{number}: not a line of a COLMAP model: {line.strip()[:80]!r}"
                ) from error


class _Lines:
    """Lines with their number, and a look at the next one."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._next: str | None = None
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._next = self._next, None
        line = next(self._lines) if line is None else line
        self.number += 1
        return line

    def take_if(self, wanted: Callable[[str], bool]) -> str:
        """The next line if it is wanted, else an empty one."""
        self._next = next(self._lines, None)
        return next(self) if self._next is not None and wanted(self._next) else ""


def _is_seen_line(line: str) -> bool:
    """Whether a line is the second one of an image: its 2D points, or nothing.

    Some programs leave that line out. What follows is then an image, which has a name.
    """
    words = line.split()
    if len(words) % 3:
        return False
    try:
        _ = [float(word) for word in words[:12] + words[-3:]]
    except ValueError:
        return False
    return True


def _text_camera(line: str) -> CameraRow:
    words = line.split()
    params = tuple(float(word) for word in words[4:])
    return int(words[0]), words[1], int(words[2]), int(words[3]), params


def _text_image(line: str, seen: str, *, points: bool) -> PosedImage:
    words = line.split(maxsplit=9)
    # COLMAP itself does not mind commas behind numbers, and some programs write them.
    words[:9] = [word.removesuffix(",") for word in words[:9]]
    values = tuple(float(word) for word in words[1:8])
    # Triples of x, y and the point's id.
    numbers = seen.split() if points else []
    rows = np.zeros(len(numbers) // 3, _POINT2D)
    rows["xy"] = np.array([numbers[0::3], numbers[1::3]], np.float64).T
    rows["id"] = np.array(numbers[2::3], np.int64)
    return PosedImage(words[9], int(words[8]), values[:4], values[4:], *_triangulated(rows))


def _triangulated(rows: NDArray[Any]) -> tuple[tuple[int, ...], tuple[tuple[float, float], ...]]:
    """Ids and pixels of those not of -1, which marks image points without a point in space."""
    rows = rows[rows["id"] >= 0]
    return tuple(rows["id"].tolist()), tuple(map(tuple, rows["xy"].tolist()))


def _text_point(line: str) -> PointRow:
    words = line.split()
    x, y, z, error = (float(words[at]) for at in (1, 2, 3, 7))
    red, green, blue = (int(word) for word in words[4:7])
    if not all(0 <= value < 256 for value in (red, green, blue)):
        raise ValueError("colours are 0 to 255")
    point_id = int(words[0])
    if not 0 <= point_id < 1 << 63:
        raise ValueError("ids of points are 0 to 2^63 - 1")
    return point_id, x, y, z, red, green, blue, error, (len(words) - 8) // 2
