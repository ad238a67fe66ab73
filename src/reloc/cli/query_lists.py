"""Lists of query images with their intrinsics, as benchmarks have them.

- hloc: ``name MODEL width height params...`` in each line, or the name alone.
- LaMAR: ``images.txt`` of a session, ``timestamp, sensor, path``, with ``sensors.txt`` beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reloc.errors import CameraError, ImageError
from reloc.geometry import CAMERA_MODELS, Camera
from reloc.scenes.text import data_lines

# Below the folder of the list, where benchmarks keep their images.
_FOLDERS = (".", "raw_data", "images", "..", "../images", "../images_upright")


@dataclass(frozen=True)
class Listed:
    """An image of a list.

    Attributes:
        name: as results name it.
        path: the file.
        camera: its intrinsics, if the list tells them.
    """

    name: str
    path: Path
    camera: Camera | None


def expanded(images: Sequence[Path], *, root: Path | None) -> tuple[list[Path], dict[Path, Listed]]:
    """The images with those of lists in the place of the lists.

    Args:
        images: files, folders, videos and lists, which end in ``.txt``.
        root: folder of the images that lists name; None to look about the list.

    Returns:
        Files, folders and videos; and what lists tell of their images, by file.

    Raises:
        SceneError: a list cannot be read.
        CameraError: a line of a list describes no camera.
        ImageError: an image of a list is in none of the folders.
    """
    paths: list[Path] = []
    told: dict[Path, Listed] = {}
    for path in images:
        if path.suffix.lower() != ".txt" or not path.is_file():
            paths.append(path)
            continue
        rows = _rows(path)
        folder = root or _folder(path, rows[0][1] if rows else "")
        for name, below, camera in rows:
            file = folder / below
            if not _is_file(file):
                raise ImageError(
                    f"{path}: there is no {below[:80]!r} in {folder}; see --images DIR"
                )
            told[file] = Listed(name, file, camera)
            paths.append(file)
    return paths, told


def _rows(path: Path) -> list[tuple[str, str, Camera | None]]:
    """Names, paths and cameras of a list."""
    lines = data_lines(path)
    if not lines:
        raise ImageError(f"{path}: lists no image; write a line for each")
    if lines[0][1].count(",") != 2:
        return [(line.split()[0], *_hloc(path, number, line)) for number, line in lines]
    sensors = _sensors(path.with_name("sensors.txt"))
    rows = []
    for number, line in lines:
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3:
            raise ImageError(f"{path}, line {number}: not `timestamp, sensor, path`; correct it")
        timestamp, sensor, below = fields
        rows.append((f"{sensor}/{timestamp}", below, sensors.get(sensor)))
    return rows


def _hloc(path: Path, number: int, line: str) -> tuple[str, Camera | None]:
    name, *fields = line.split()
    return name, _camera(path, number, fields) if fields else None


def _sensors(path: Path) -> dict[str, Camera]:
    """Cameras of a LaMAR or kapture session: ``id, name, camera, MODEL, width, height, params``."""
    if not path.is_file():
        return {}
    cameras = {}
    for number, line in data_lines(path):
        sensor, *fields = (field.strip() for field in line.split(","))
        if len(fields) > 2 and fields[1] == "camera":
            cameras[sensor] = _camera(path, number, fields[2:])
    return cameras


def _camera(path: Path, number: int, fields: Sequence[str]) -> Camera:
    try:
        model, width, height, *params = fields
        if model not in CAMERA_MODELS:
            raise ValueError(f"no camera model is called {model!r}")
        return Camera(model, int(width), int(height), tuple(map(float, params)))
    except (ValueError, CameraError) as error:
        raise CameraError(
            f"{path}, line {number}: no `MODEL width height params` ({error!s:.80}); correct it"
        ) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no file can have such a name
        return False


def _folder(path: Path, below: str) -> Path:
    for name in _FOLDERS:
        if _is_file(path.parent / name / below):
            return path.parent / name
    raise ImageError(f"{path}: no {below[:80]!r} lies about it; name its folder with --images DIR")
