"""The SQLite file of an index: what is in it, and how it is opened without trusting it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from reloc.errors import MapError
from reloc.maps.scene_map import MAX_REGIONS, MAX_VIEWS

FORMAT = 2
_SECONDS_TO_WAIT = 120.0
_MAPS = """CREATE TABLE maps (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, place TEXT, bytes INTEGER NOT NULL,
    heads INTEGER NOT NULL, extent REAL NOT NULL, unit TEXT NOT NULL, backbone TEXT NOT NULL,
    short_side INTEGER NOT NULL, latitude REAL, longitude REAL, heading REAL,
    view_length INTEGER NOT NULL, views BLOB NOT NULL
)"""
_PLACES = "CREATE INDEX places ON maps (place)"
# Version 1 had a file called NAME.safetensors for each map, and found positions by an R*Tree.
_AREAS = "CREATE VIRTUAL TABLE areas USING rtree (id, south, north, west, east)"
_NEW = (
    "CREATE TABLE files (id INTEGER PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT)",
    "CREATE INDEX files_by_name ON files (file COLLATE NOCASE)",
    "CREATE INDEX positions ON maps (latitude, longitude, extent, unit)",
)
_UPGRADE = (
    "DROP TABLE areas",
    *_NEW,
    "INSERT INTO files SELECT id, name || '.safetensors', NULL FROM maps",
)
_STATEMENTS = {1: (_MAPS, _PLACES, _AREAS), FORMAT: (_MAPS, _PLACES, *_NEW)}
_SHADOWS = frozenset({"areas_node", "areas_rowid", "areas_parent"})
# The longest text or blob that is read: the views of the largest map.
_MAX_BYTES = MAX_REGIONS * MAX_VIEWS * 1176 + (1 << 20)
_MAX_STATEMENT = 10_000
# A damaged file can send SQLite in circles. A list of 200,000 maps takes 5 million steps.
_STEPS_BETWEEN_CHECKS = 1_000_000
_MAX_CHECKS = 500


@contextmanager
def opened(path: Path, *, write: bool = False) -> Iterator[tuple[sqlite3.Connection, int]]:
    """Yields a connection in a transaction, and the version of the index; 0 is one without maps.

    What was changed is on disk when the block has ended, all of it or, if the block fails, nothing.

    Args:
        path: the file, which must be there.
        write: keep all other writers out, and bring the index to this version.

    Raises:
        MapError: there is none, it is damaged, of another version or another program's, or another
            writer does not come to an end.
    """
    try:
        uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=rw"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=_SECONDS_TO_WAIT, isolation_level=None)
        ) as connection:
            _distrust(connection)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                version = _version(connection)
                if write and version != FORMAT:
                    for statement in _UPGRADE if version else _STATEMENTS[FORMAT]:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {FORMAT}")
                    version = FORMAT
                yield connection, version
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
    except (sqlite3.Error, ValueError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        busy = "locked" in reason or "busy" in reason
        raise MapError(
            f"{path}: another writer does not come to an end; try again"
            if busy
            else f"{path}: no library index, or a damaged one ({reason}); make the library anew "
            "from its maps"
        ) from error


def make(path: Path) -> None:
    """Makes an empty index unless there is one, whoever else does so at the same time.

    Raises:
        MapError: there is something else.
        OSError: the folder cannot be written to.
    """
    # SQLite takes an empty file for a database; its own have permissions that ignore the umask.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o666))
    with opened(path, write=True):
        pass


def _distrust(connection: sqlite3.Connection) -> None:
    """Bounds what a hostile file can make SQLite do."""
    # The last of these makes a commit durable before it is acknowledged.
    for setting in (
        "trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "synchronous = EXTRA"
    ):  # fmt: skip
        connection.execute(f"PRAGMA {setting}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MAX_STATEMENT)
    checks = iter(range(_MAX_CHECKS))
    connection.set_progress_handler(lambda: next(checks, None) is None, _STEPS_BETWEEN_CHECKS)


def _version(connection: sqlite3.Connection) -> int:
    """The version of an index, all of whose tables are as this program makes them."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master LIMIT 20").fetchall()
    if version == 0 and not rows:
        return 0
    if version not in _STATEMENTS:
        raise ValueError(f"version {version}; this version of reloc reads 1 and {FORMAT}")
    made = {_plain(sql) for kind, name, sql in rows if not _is_inner(kind, name, sql)}
    if made != {_plain(statement) for statement in _STATEMENTS[version]}:
        raise ValueError("tables of another program")
    return int(version)


def _is_inner(kind: str, name: str, sql: str | None) -> bool:
    """Whether SQLite makes this by itself: what is unique, and what an R*Tree consists of."""
    return (kind == "index" and sql is None) or (kind == "table" and name in _SHADOWS)


def _plain(sql: str) -> str:
    return " ".join(str(sql).split())
