"""The index of a library: one SQLite file that says what maps there are, and where on earth."""

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.errors import MapError, OptionError

FORMAT = 1
METRES_PER_DEGREE = 111_320.0
EARTH_RADIUS = 6_371_000.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS maps (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, place TEXT, bytes INTEGER NOT NULL,
    heads INTEGER NOT NULL, extent REAL NOT NULL, unit TEXT NOT NULL, backbone TEXT NOT NULL,
    short_side INTEGER NOT NULL, latitude REAL, longitude REAL, heading REAL,
    view_length INTEGER NOT NULL, views BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS places ON maps (place);
CREATE VIRTUAL TABLE IF NOT EXISTS areas USING rtree (id, south, north, west, east);
"""
_COLUMNS = (
    "name, place, bytes, heads, extent, unit, backbone, short_side, latitude, longitude, heading"
)


@dataclass(frozen=True)
class Entry:
    """A map of the library.

    Attributes:
        name: unique in the library.
        place: where it belongs, for hints; any text.
        bytes: of the map file.
        heads: in it.
        extent: of the mapping cameras, in its unit.
        unit: ``metre`` or ``unknown``.
        backbone: fingerprint.
        short_side: of the views that its heads want, in pixels.
        latitude: of the map's origin in degrees, if it is known.
        longitude: likewise, -180 to 180.
        heading: of the map's y axis, in degrees clockwise from north.
    """

    name: str
    place: str | None
    bytes: int
    heads: int
    extent: float
    unit: str
    backbone: str
    short_side: int
    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None


@dataclass(frozen=True)
class Hint:
    """What is known about where an image was taken; all that is given must hold.

    Attributes:
        place: as the maps have it.
        latitude: in degrees, with longitude and radius.
        longitude: in degrees.
        radius: in metres.

    Raises:
        OptionError: half a position, or an impossible one.
    """

    place: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        position = (self.latitude, self.longitude, self.radius)
        if any(value is None for value in position) and position != (None, None, None):
            raise OptionError("a position needs latitude, longitude and a radius in metres")
        if self.latitude is not None and self.longitude is not None and self.radius is not None:
            check_position(self.latitude, self.longitude)
            if not 0 < self.radius < math.inf:
                raise OptionError("the radius must be positive, in metres")


def check_position(latitude: float, longitude: float) -> None:
    """Raises OptionError for what is no position on earth."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise OptionError("latitude is -90 to 90 and longitude -180 to 180, in degrees")


class Index:
    """The SQLite file. Every call is a connection and a transaction of its own, so that processes
    and threads may share it.

    Args:
        path: the file; made when something is written first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
                found = connection.execute("PRAGMA user_version").fetchone()[0]
                if found == 0:
                    connection.executescript(f"{_SCHEMA}PRAGMA user_version = {FORMAT};")
                elif found != FORMAT:
                    raise MapError(f"{self.path}: version {found}; this version reads {FORMAT}")
                yield connection
        except sqlite3.Error as error:
            raise MapError(f"{self.path}: no library index, or a damaged one ({error})") from error

    def put(self, entry: Entry, views: NDArray[np.int8]) -> None:
        """Enters a map in place of one of the same name; ``views`` (V, D) are its descriptors."""
        values = [getattr(entry, name) for name in _COLUMNS.split(", ")]
        marks = ", ".join("?" * (len(values) + 2))
        length = views.shape[1] if len(views) else 0
        with self._connection() as connection:
            _remove(connection, entry.name)
            cursor = connection.execute(
                f"INSERT INTO maps ({_COLUMNS}, view_length, views) VALUES ({marks})",
                [*values, length, views.tobytes()],
            )
            if entry.latitude is not None and entry.longitude is not None:
                reach = entry.extent if entry.unit == "metre" else 0.0
                for box in _boxes(entry.latitude, entry.longitude, reach)[:1]:
                    connection.execute(
                        "INSERT INTO areas VALUES (?, ?, ?, ?, ?)", [cursor.lastrowid, *box]
                    )

    def remove(self, name: str) -> bool:
        """Takes a map out; whether it was there."""
        with self._connection() as connection:
            return _remove(connection, name)

    def entries(self, hint: Hint | None = None) -> list[Entry]:
        """Maps that a hint allows, by name."""
        query, place = f"SELECT {_COLUMNS} FROM maps", hint.place if hint else None
        with self._connection() as connection:
            if hint and hint.radius is not None:
                near = sorted(_near(connection, hint))
                found = [
                    Entry(*row)
                    for name in near
                    for row in connection.execute(f"{query} WHERE name = ?", [name])
                ]
                return [entry for entry in found if place is None or entry.place == place]
            if place is not None:
                rows = connection.execute(f"{query} WHERE place = ? ORDER BY name", [place])
            else:
                rows = connection.execute(f"{query} ORDER BY name")
            return [Entry(*row) for row in rows]

    def views(self, names: Iterable[str] | None = None) -> dict[str, NDArray[np.int8]]:
        """(V, D) descriptors of the maps of some names, or of all, that have some."""
        query = "SELECT name, view_length, views FROM maps"
        with self._connection() as connection:
            if names is None:
                rows = connection.execute(query).fetchall()
            else:
                rows = [
                    row
                    for name in names
                    for row in connection.execute(f"{query} WHERE name = ?", [name])
                ]
        return {
            name: np.frombuffer(blob, np.int8).reshape(-1, length)
            for name, length, blob in rows
            if length > 0 and len(blob) % length == 0 and len(blob)
        }


def _remove(connection: sqlite3.Connection, name: str) -> bool:
    row = connection.execute("SELECT id FROM maps WHERE name = ?", [name]).fetchone()
    if row is not None:
        connection.execute("DELETE FROM areas WHERE id = ?", row)
        connection.execute("DELETE FROM maps WHERE id = ?", row)
    return row is not None


def _near(connection: sqlite3.Connection, hint: Hint) -> set[str]:
    """Names of the maps within the radius: boxes from the R*Tree, then great-circle distances."""
    assert hint.latitude is not None and hint.longitude is not None and hint.radius is not None
    near = set()
    for south, north, west, east in _boxes(hint.latitude, hint.longitude, hint.radius):
        rows = connection.execute(
            "SELECT name, latitude, longitude, extent, unit FROM maps JOIN areas USING (id) "
            "WHERE south <= ? AND north >= ? AND west <= ? AND east >= ?",
            [north, south, east, west],
        )
        for name, latitude, longitude, extent, unit in rows:
            away = _distance(hint.latitude, hint.longitude, latitude, longitude)
            if away <= hint.radius + (extent if unit == "metre" else 0.0):
                near.add(name)
    return near


def _boxes(
    latitude: float, longitude: float, reach: float
) -> list[tuple[float, float, float, float]]:
    """Boxes (south, north, west, east) in degrees around a circle: two across the date line."""
    up = reach / METRES_PER_DEGREE
    pole = abs(latitude) + up >= 89.9
    side = 180.0 if pole else min(180.0, up / math.cos(math.radians(abs(latitude) + up)))
    south, north = latitude - up, latitude + up
    if side >= 180:
        return [(south, north, -180.0, 180.0)]
    west, east = longitude - side, longitude + side
    boxes = [(south, north, west, east)]
    if west < -180:
        boxes.append((south, north, west + 360, east + 360))
    if east > 180:
        boxes.append((south, north, west - 360, east - 360))
    return boxes


def _distance(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance in metres (haversine)."""
    a, b = math.radians(lat_a), math.radians(lat_b)
    h = math.sin((b - a) / 2) ** 2
    h += math.cos(a) * math.cos(b) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(h)))
