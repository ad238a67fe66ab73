"""Changes of SQLite files: pages, and tables that are not what they were."""

import sqlite3
from contextlib import closing
from random import Random

from tests.fuzz.raw_bytes import Change

_PAGE = 4096
_MOST_STEPS = 1_000_000
_VALUES = (
    *("NULL", "-1", "0", "9223372036854775807", "9e999", "-9e999", "0.5", "''", "'abc'", "x'00ff'"),
    *("'[/x]'", "x'ff'", "cast(x'ff' as text)", "zeroblob(100000)", "'a' || char(10) || 'b'"),
    *("'/etc/passwd'", "'../x'", "'a' || char(0) || 'b'"),
)
_ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {0} FROM c"


def page_changed(rng: Random, content: bytes) -> bytes:
    """A page is empty, another's copy, or has a byte changed near its beginning."""
    pages = [content[at : at + _PAGE] for at in range(0, len(content), _PAGE)] or [b""]
    at = rng.randrange(len(pages))
    match rng.randrange(3):
        case 0:
            pages[at] = b"\0" * len(pages[at])
        case 1:
            pages[at] = pages[rng.randrange(len(pages))]
        case _:
            changed = bytearray(pages[at])
            for _ in range(rng.choice((1, 3))):
                if changed:
                    changed[rng.randrange(min(len(changed), 120))] = rng.randrange(256)
            pages[at] = bytes(changed)
    return b"".join(pages)


def table_changed(rng: Random, content: bytes) -> bytes:
    """A value of a wrong type, a table without a column, a view in a table's place."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as base:
        base.deserialize(content)
        # What an earlier change made endless must not hang this one.
        base.set_progress_handler(lambda: 1, _MOST_STEPS)
        found = base.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        table = rng.choice(sorted(name for (name,) in found) or ["maps"])
        columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
        for statement in _statements(rng, table, columns or ["name"]):
            base.execute(statement)
        return base.serialize()


def _statements(rng: Random, table: str, columns: list[str]) -> list[str]:
    column, value = rng.choice(columns), rng.choice(_VALUES)
    match rng.randrange(8):
        case 0:
            return [f"ALTER TABLE {table} DROP COLUMN {column}"]
        case 1:
            return [f"ALTER TABLE {table} RENAME COLUMN {column} TO other"]
        case 2:
            return [f"DROP TABLE {table}"]
        case 3:
            endless = _ENDLESS.format(", ".join(f"x AS {name}" for name in columns))
            return [f"DROP TABLE {table}", f"CREATE VIEW {table} AS {endless}"]
        case 4:
            rows = ", ".join(f"{rng.choice(_VALUES)} AS {name}" for name in columns)
            return [f"DROP TABLE {table}", f"CREATE VIEW {table} AS SELECT {rows}"]
        case 5:
            return [f"PRAGMA user_version = {rng.choice((0, 1, 2, -1, 99))}"]
        case _:
            # Without its rules a table takes any value of any type.
            copied = f"CREATE TABLE copied AS SELECT * FROM {table}"
            renamed = f"ALTER TABLE copied RENAME TO {table}"
            put = f"UPDATE {table} SET {column} = {value}"
            return [copied, f"DROP TABLE {table}", renamed, put]


CHANGES: tuple[Change, ...] = (*(page_changed,) * 2, *(table_changed,) * 4)
