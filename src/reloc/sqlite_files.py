"""SQLite files from outside: what they may hold, and a bound on what they can make SQLite do."""

import sqlite3
from collections.abc import Collection

# A damaged file can send SQLite in circles. A list of 200,000 maps takes 5 million steps.
_STEPS_BETWEEN_CHECKS = 1_000_000
_MAX_CHECKS = 500
_MAX_STATEMENT = 10_000
_MAX_TABLES = 20


class Distrust:
    """Bounds for a connection, from the moment it is made.

    Args:
        connection: which has read nothing yet.
        longest: bytes of a text or blob that are read at most.
    """

    def __init__(self, connection: sqlite3.Connection, *, longest: int) -> None:
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {setting}")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MAX_STATEMENT)
        self._checks = 0
        connection.set_progress_handler(self._is_too_long, _STEPS_BETWEEN_CHECKS)

    def begin(self) -> None:
        """Another statement may take as long as all before it."""
        self._checks = 0

    def _is_too_long(self) -> bool:
        self._checks += 1
        return self._checks > _MAX_CHECKS


def has_tables(
    connection: sqlite3.Connection, statements: Collection[str], *, inner: Collection[str] = ()
) -> bool:
    """Whether a file has the tables that statements make, to the letter; False if it is empty.

    Args:
        connection: to the file.
        statements: that make tables and indexes.
        inner: names of tables that SQLite makes for these by itself.

    Raises:
        ValueError: it has others, views or triggers.
        sqlite3.Error: it is damaged.
    """
    rows = connection.execute(f"SELECT type, name, sql FROM sqlite_master LIMIT {_MAX_TABLES}")
    made = {
        _plain(str(sql))
        for kind, name, sql in rows
        if not (kind == "index" and sql is None) and not (kind == "table" and name in inner)
    }
    if made and made != set(map(_plain, statements)):
        raise ValueError("tables of another program")
    return bool(made)


def _plain(sql: str) -> str:
    return " ".join(sql.replace(" IF NOT EXISTS", "").split())
