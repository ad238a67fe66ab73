"""Files of control points and of positions on Earth."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.alignment.earth import Geodetic
from reloc.alignment.known_cameras import KnownCameras, triangulated
from reloc.errors import OptionError
from reloc.images.position import read_position
from reloc.images.sources import check_sources
from reloc.scenes.text import data_lines

Array = NDArray[np.float64]

POINTS_HELP = (
    "a line is `NAME X Y Z` (where the camera of a frame stood), `x y z X Y Z` (a point of the map "
    "and where it is) or `X Y Z u v NAME` (a pixel of a frame that shows a point; two frames at "
    "least)"
)


@dataclass(frozen=True)
class Pairs:
    """Positions that are known twice.

    Attributes:
        world: (N, 3) in the world of the scene.
        told: (N, 3) as a file has them.
        names: (N,) of each, for messages.
    """

    world: Array
    told: Array
    names: tuple[str, ...]


def read_points(path: Path, known: KnownCameras) -> Pairs:
    """Control points of a text file, with spaces or commas between fields; ``POINTS_HELP``.

    Raises:
        SceneError: no such file.
        OptionError: a line that is none of these, or names no camera; a point that is seen from one
            side only.
    """
    world, told, names = [], [], []
    seen: dict[tuple[float, ...], list[tuple[int, list[float]]]] = {}
    for number, line in data_lines(path):
        fields = _fields(line)
        numbers = [_number(field) for field in fields]
        if len(fields) == 6 and None not in numbers:
            values = [value for value in numbers if value is not None]
            world.append(values[:3])
            told.append(values[3:])
            names.append(f"line {number}")
        elif len(fields) >= 6 and None not in numbers[:5]:
            values = [value for value in numbers[:5] if value is not None]
            row = _row(path, number, " ".join(fields[5:]), known)
            seen.setdefault(tuple(values[:3]), []).append((row, values[3:]))
        elif len(fields) >= 4 and None not in numbers[-3:]:
            name = " ".join(fields[:-3])
            world.append(known.centers[_row(path, number, name, known)].tolist())
            told.append([value for value in numbers[-3:] if value is not None])
            names.append(name)
        elif number > 1:  # a heading, or what GPS tools say of the projection
            raise OptionError(f"{path}, line {number}: no control point; {POINTS_HELP}")
    for position, views in seen.items():
        name = " ".join(f"{value:g}" for value in position)
        world.append(_triangulated(path, name, views, known))
        told.append(list(position))
        names.append(name)
    return Pairs(
        np.array(world, np.float64).reshape(-1, 3),
        np.array(told, np.float64).reshape(-1, 3),
        tuple(names),
    )


def read_places(path: Path, known: KnownCameras) -> tuple[list[int], list[Geodetic], list[bool]]:
    """Where on Earth cameras stood: by EXIF of a folder of photos, or by a table.

    A line of a table is ``NAME LATITUDE LONGITUDE [HEIGHT]``, with spaces or commas; a heading is
    passed over, as are photos that no camera is called as.

    Returns:
        Rows of the cameras, their positions, and whether each has a height; where not it is 0.

    Raises:
        SceneError: no such file.
        OptionError: a line that is none of these.
    """
    if path.is_dir():
        found = [(_below(photo, path), read_position(photo)) for photo in check_sources([path])]
        positions = [(name, position) for name, position in found if position is not None]
        if not positions:
            raise OptionError(
                f"{path}: none of {len(found)} photos says where on Earth it was taken; give a "
                "table of NAME LATITUDE LONGITUDE HEIGHT"
            )
    else:
        positions = _table(path)
    rows, places, high = [], [], []
    for name, (latitude, longitude, height) in positions:
        if (row := known.row(name)) is not None:
            rows.append(row)
            places.append(Geodetic(latitude, longitude, 0.0 if math.isnan(height) else height))
            high.append(not math.isnan(height))
    if not rows:
        raise OptionError(
            f"{path}: tells of no mapping frame that is kept; these are called as "
            f"{known.names[0] if known.names else 'none'}"
        )
    return rows, places, high


def _table(path: Path) -> list[tuple[str, tuple[float, float, float]]]:
    positions = []
    for number, line in data_lines(path):
        fields = _fields(line)
        numbers = [_number(field) for field in fields]
        count = 3 if len(fields) > 3 and None not in numbers[-3:] else 2
        values = [value for value in numbers[-count:] if value is not None]
        if len(values) < count or len(fields) == count:
            if number == 1:
                continue
            raise OptionError(
                f"{path}, line {number}: no position; a line is NAME LATITUDE LONGITUDE HEIGHT"
            )
        height = values[2] if count == 3 else math.nan
        try:
            Geodetic(values[0], values[1], values[2] if count == 3 else 0.0)
        except OptionError as error:
            raise OptionError(f"{path}, line {number}: {error}") from error
        positions.append((" ".join(fields[:-count]), (values[0], values[1], height)))
    return positions


def _triangulated(
    path: Path, name: str, views: list[tuple[int, list[float]]], known: KnownCameras
) -> list[float]:
    origins, directions = [], []
    for row, pixel in views:
        ray = known.cameras[row].rays(np.array([pixel]))[0]
        direction = known.poses[row, :3, :3] @ np.array([ray[0], ray[1], 1.0])
        origins.append(known.centers[row])
        directions.append(direction / np.linalg.norm(direction))
    point = triangulated(np.array(origins), np.array(directions))
    if point is None or not np.isfinite(point).all():
        raise OptionError(
            f"{path}: the point {name:.80} is seen from one side only; mark it in frames from "
            "places that are apart"
        )
    return [float(value) for value in point]


def _row(path: Path, number: int, name: str, known: KnownCameras) -> int:
    try:
        return known.named(name)
    except OptionError as error:
        raise OptionError(f"{path}, line {number}: {error}") from error


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _fields(line: str) -> list[str]:
    parts = line.split(",") if "," in line else line.split()
    return [part.strip() for part in parts]


def _number(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
