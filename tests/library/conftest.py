"""What several tests of libraries need."""

import pytest

# What version 1 wrote.
_VERSION_1 = """
CREATE TABLE IF NOT EXISTS maps (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, place TEXT, bytes INTEGER NOT NULL,
    heads INTEGER NOT NULL, extent REAL NOT NULL, unit TEXT NOT NULL, backbone TEXT NOT NULL,
    short_side INTEGER NOT NULL, latitude REAL, longitude REAL, heading REAL,
    view_length INTEGER NOT NULL, views BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS places ON maps (place);
CREATE VIRTUAL TABLE IF NOT EXISTS areas USING rtree (id, south, north, west, east);
PRAGMA user_version = 1;
INSERT INTO maps VALUES (7, 'attic', 'home', 9, 1, 10, 'metre', 'toy', 480, 51, 0.5, NULL, 2,
    x'0102');
INSERT INTO areas VALUES (7, 50, 52, 0, 1);
"""


@pytest.fixture
def version_1() -> str:
    """The SQL of an index of version 1 that holds one map, ``attic``."""
    return _VERSION_1
