"""The index of a library: one SQLite file that says what maps there are, and where on earth."""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.errors import MapError
from reloc.library import schema
from reloc.library.entry import Entry, Hint, entry_of, is_name, views_of

EARTH_RADIUS = 6_371_000.0
# A little less than there are, so that rounding leaves no map out.
METERS_PER_DEGREE = 0.9999 * math.radians(EARTH_RADIUS)
_COLUMNS = (
    "name, place, bytes, heads, extent, unit, backbone, short_side, latitude, longitude, heading"
)
# Where the file of a map and its digest come from, by the version of the index.
_ENTRIES = {
    1: f"SELECT id, {_COLUMNS}, name || '.safetensors', NULL FROM maps",
    2: f"SELECT id, {_COLUMNS}, file, sha256 FROM maps LEFT JOIN files USING (id)",
}


class Index:
    """The SQLite file.

    Every call is a connection and a transaction of its own, so that processes and threads may
    share it. All raise MapError if it is damaged.

    Args:
        path: the file; ``make`` makes one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Makes an empty index unless there is one. Raises OSError where none can be."""
        schema.make(self.path)

    @contextmanager
    def changing(self) -> Iterator["Change"]:
        """Yields what changes the index, at once when the block ends. Others wait meanwhile."""
        with schema.open_index(self.path, write=True) as (connection, _):
            yield Change(connection)

    def entries(self, hint: Hint | None = None) -> list[Entry]:
        """Maps that a hint allows, by name."""
        where, values = "", list[Any]()
        with schema.open_index(self.path) as (connection, version):
            if hint is not None and hint.place is not None:
                where, values = "WHERE place = ?", [hint.place]
            elif hint is not None and hint.latitude is not None and version:
                where, values = "WHERE latitude BETWEEN ? AND ?", _band(connection, hint)
            found = [e for e in _entries(connection, version, where, values) if _near(e, hint)]
        return sorted(found, key=lambda entry: entry.name)

    def entry(self, name: str) -> Entry | None:
        """The map of a name, None without one."""
        with schema.open_index(self.path) as (connection, version):
            return next(iter(_entries(connection, version, "WHERE name = ?", [name])), None)

    def views(self, names: Iterable[str] | None = None) -> dict[str, NDArray[np.int8]]:
        """(V, D) descriptors of the maps of some names, or of all, that have some."""
        query = "SELECT id, name, view_length, views FROM maps"
        found: dict[str, NDArray[np.int8]] = {}
        with schema.open_index(self.path) as (connection, version):
            if version == 0:
                return {}
            if names is None:
                rows = _once(connection.execute(query))
            else:
                rows = (
                    row
                    for name in names
                    for row in _once(connection.execute(f"{query} WHERE name = ?", [name]))
                )
            for name, length, blob in rows:
                if not is_name(name):
                    raise ValueError("a map has an impossible name")
                if len(views := views_of(length, blob)):
                    found[name] = views
        return found


class Change:
    """A transaction on an index; see ``Index.changing``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def check_fits(self, entry: Entry, *, view_length: int, source: Path) -> None:
        """Raises MapError unless one pass of a backbone serves the map of a file and all others."""
        others = "FROM maps WHERE name != ?"
        row = self._connection.execute(
            f"SELECT backbone, short_side {others} LIMIT 1", [entry.name]
        ).fetchone()
        if row is not None and row != (entry.backbone, entry.short_side):
            raise MapError(
                f"{source}: made with another backbone or image size than the other maps of the "
                "library; one pass of the backbone has to serve all"
            )
        row = self._connection.execute(
            f"SELECT view_length {others} AND view_length > 0 LIMIT 1", [entry.name]
        ).fetchone()
        if row is not None and view_length not in (0, row[0]):
            raise MapError(
                f"{source}: its views have {view_length} numbers and those of the other maps of "
                f"the library {row[0]}; make the map again"
            )

    def put(self, entry: Entry, views: NDArray[np.int8]) -> str | None:
        """Enters a map; ``views`` (V, D) are its descriptors.

        Returns:
            The file of the map of the same name that it takes the place of, if there is one.
        """
        old = self.remove(entry.name)
        values = [getattr(entry, name) for name in _COLUMNS.split(", ")]
        marks = ", ".join("?" * (len(values) + 2))
        length = views.shape[1] if len(views) else 0
        number = self._connection.execute(
            f"INSERT INTO maps ({_COLUMNS}, view_length, views) VALUES ({marks})",
            [*values, length, views.tobytes()],
        ).lastrowid
        # The row of a damaged index may have left one behind.
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)", [number, entry.file, entry.sha256]
        )
        return old

    def remove(self, name: str) -> str | None:
        """Takes a map out. Returns its file as the index has it, None if there was no such map."""
        row = self._connection.execute(
            "SELECT id, file FROM maps LEFT JOIN files USING (id) WHERE name = ?", [name]
        ).fetchone()
        if row is None:
            return None
        self._connection.execute("DELETE FROM files WHERE id = ?", row[:1])
        self._connection.execute("DELETE FROM maps WHERE id = ?", row[:1])
        return str(row[1] or "")

    def names(self, file: str) -> bool:
        """Whether a file is that of a map; where letters of both cases are the same, either."""
        return bool(
            self._connection.execute(
                "SELECT 1 FROM files WHERE file = ? COLLATE NOCASE", [file]
            ).fetchone()
        )

    def note_digest(self, entry: Entry, sha256: str) -> None:
        """Writes down the digest of a file that was found to be that of its map."""
        self._connection.execute(
            "UPDATE files SET sha256 = ? WHERE id = (SELECT id FROM maps WHERE name = ?) AND "
            "file = ? AND sha256 IS NULL",
            [sha256, entry.name, entry.file],
        )


def _entries(
    connection: sqlite3.Connection, version: int, where: str, values: Sequence[Any]
) -> Iterator[Entry]:
    if version:
        rows = _once(connection.execute(f"{_ENTRIES[version]} {where}", values))
        yield from map(entry_of, rows)


def _once(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows without their id. Pages of a damaged file may lead to each other without end."""
    seen = set()
    for number, *row in rows:
        if number in seen:
            raise ValueError("a map that is there twice")
        seen.add(number)
        yield tuple(row)


def _band(connection: sqlite3.Connection, hint: Hint) -> list[float]:
    """The latitudes between which all maps within the radius of a hint lie, and others too."""
    assert hint.latitude is not None and hint.radius is not None
    query = "SELECT max(extent) FROM maps WHERE unit = 'metre'"
    (largest,) = connection.execute(query).fetchone()
    reach = (hint.radius + float(largest or 0.0)) / METERS_PER_DEGREE
    return [hint.latitude - reach, hint.latitude + reach]


def _near(entry: Entry, hint: Hint | None) -> bool:
    """Whether a map is within the radius of a hint, if that has one."""
    if hint is None or hint.latitude is None or hint.longitude is None or hint.radius is None:
        return True
    if entry.latitude is None or entry.longitude is None:
        return False
    away = _distance(hint.latitude, hint.longitude, entry.latitude, entry.longitude)
    return away <= hint.radius + (entry.extent if entry.unit == "metre" else 0.0)


def _distance(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Great-circle distance in metres (haversine)."""
    a, b = math.radians(lat_a), math.radians(lat_b)
    h = math.sin((b - a) / 2) ** 2
    h += math.cos(a) * math.cos(b) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(h)))
