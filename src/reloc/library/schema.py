"""The SQLite file of an index: what is in it, and how it is opened without trusting it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from reloc.errors import MapError
from reloc.maps.scene_map import MAX_REGIONS, MAX_VIEWS
from reloc.sqlite_files import Distrust, has_tables

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
    "CREATE INDEX latitudes ON maps (latitude)",
    "CREATE INDEX extents ON maps (unit, extent)",
)
_UPGRADE = (
    "DROP TABLE areas",
    *_NEW,
    "INSERT INTO files SELECT id, name || '.safetensors', NULL FROM maps",
)
_STATEMENTS = {1: (_MAPS, _PLACES, _AREAS), FORMAT: (_MAPS, _PLACES, *_NEW)}
_SHADOWS = ("areas_node", "areas_rowid", "areas_parent")
# The longest text or blob that is read: the views of the largest map.
_MAX_BYTES = MAX_REGIONS * MAX_VIEWS * 1176 + (1 << 20)


@contextmanager
def open_index(path: Path, *, write: bool = False) -> Iterator[tuple[sqlite3.Connection, int]]:
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
            Distrust(connection, longest=_MAX_BYTES)
            # A commit is durable before it is acknowledged.
            connection.execute("PRAGMA synchronous = EXTRA")
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
    with open_index(path, write=True):
        pass


def _version(connection: sqlite3.Connection) -> int:
    """The version of an index, all of whose tables are as this program makes them."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = version in _STATEMENTS
    # A file without any tables has none yet.
    tables = has_tables(connection, _STATEMENTS[version if known else FORMAT], inner=_SHADOWS)
    if tables != known or not (known or version == 0):
        raise ValueError("an unknown version")
    return version
