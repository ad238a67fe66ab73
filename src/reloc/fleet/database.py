"""One connection to SQLite or PostgreSQL, held by one process at a time."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reloc.errors import OptionError, OutputError
from reloc.files import StrPath
from reloc.sqlite_files import Distrust, has_tables

Value = str | int | float | None
SCHEMES = ("postgresql://", "postgres://")
# Names of files and reasons are short; no table holds more.
_MAX_BYTES = 1 << 20
# The lock is of the schema, so that several tables fit into one database. A server may need a
# moment to notice that who held it is gone.
_PATIENCE = "SET lock_timeout = '2s'"
_LOCK = "SELECT pg_advisory_lock(hashtextextended('reloc jobs in ' || current_schema(), 0))"


class Database:
    """A connection; every change outside a transaction is on disk when the call returns.

    Args:
        connection: of sqlite3 or psycopg, without transactions of its own.
        name: to call it in messages.
        errors: what the library raises.
        mark: what stands for a value in its statements; here it is ``?``.
        distrust: bounds of each statement, if the database is a file from anywhere.
    """

    def __init__(
        self,
        connection: Any,
        *,
        name: str,
        errors: type[Exception],
        mark: str = "?",
        distrust: Distrust | None = None,
    ) -> None:
        self._connection = connection
        self._name = name
        self._errors = errors
        self._mark = mark
        self._distrust = distrust

    def run(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement; returns its rows. Raises OutputError if the database fails."""
        with self._watched():
            cursor = self._connection.execute(statement.replace("?", self._mark), values)
            return cursor.fetchall() if cursor.description else []

    def run_many(self, statement: str, rows: Iterable[Sequence[Value]]) -> None:
        """Runs a statement once for each row of values. Raises OutputError as ``run``."""
        with self._watched():
            self._connection.cursor().executemany(statement.replace("?", self._mark), rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self.run("BEGIN")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def close(self) -> None:
        """Lets go of it."""
        self._connection.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._distrust is not None:
            self._distrust.begin()
        try:
            yield
        except self._errors as error:
            raise OutputError(
                f"{self._name}: failed as a table of jobs ({_first_line(error)}); mend it, or "
                "name another with --jobs"
            ) from error


def open_database(location: StrPath, statements: Sequence[str]) -> Database:
    """Opens a database and locks out everybody else until the process ends, however it ends.

    Args:
        location: a file for SQLite, made if it is not there, or ``postgresql://...``.
        statements: that make its tables where they are not there; a file has these alone.

    Raises:
        OptionError: it cannot be opened, another process holds it, or psycopg is missing.
        OutputError: the tables cannot be made.
    """
    text = str(location)
    if text.startswith(SCHEMES):
        base = _open_postgres(text)
    elif "://" in text:
        raise OptionError(
            f"{text}: a table of jobs is a local file or a database at postgresql://..."
        )
    else:
        base = _open_sqlite(Path(text), statements)
    try:
        for statement in statements:
            base.run(statement)
    except OutputError:
        base.close()
        raise
    return base


def _open_sqlite(path: Path, statements: Sequence[str]) -> Database:
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        distrust = Distrust(connection, longest=_MAX_BYTES)
        # The lock is the operating system's; the first transaction takes it, the connection
        # keeps it.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        if has_tables(connection, statements):
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise ValueError(str(found))
    except (sqlite3.Error, OSError, ValueError) as error:
        if connection is not None:
            connection.close()
        if "locked" in str(error):
            raise _held(str(path)) from error
        raise _unusable(str(path), error) from error
    return Database(connection, name=str(path), errors=sqlite3.Error, distrust=distrust)


def _open_postgres(url: str) -> Database:
    try:
        import psycopg
    except ImportError as error:
        raise OptionError(
            "a table of jobs in PostgreSQL needs psycopg; install it with "
            "pip install 'reloc[postgres]'"
        ) from error
    # Neither password nor options belong into messages.
    name = "postgresql://" + url.partition("://")[2].partition("?")[0].rpartition("@")[2]
    try:
        connection = psycopg.connect(url, autocommit=True)
        connection.execute(_PATIENCE)
        connection.execute(_LOCK)
    except psycopg.errors.LockNotAvailable as error:
        raise _held(name) from error
    except psycopg.Error as error:
        raise _unusable(name, error) from error
    return Database(connection, name=name, errors=psycopg.Error, mark="%s")


def _held(name: str) -> OptionError:
    return OptionError(
        f"{name}: another map-many is at work on this table; wait for it, or name another --jobs"
    )


def _unusable(name: str, error: Exception) -> OptionError:
    return OptionError(
        f"{name}: cannot be used as a table of jobs ({_first_line(error)}); name another with "
        "--jobs"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
