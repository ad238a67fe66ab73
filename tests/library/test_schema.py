"""Indexes that are damaged or made to do harm: one line for each, whatever is asked of them."""

import sqlite3
import struct
from contextlib import closing

import numpy as np
import pytest

from reloc.errors import MapError
from reloc.library.entry import Entry, Hint
from reloc.library.index import Index

VIEWS = np.arange(12, dtype=np.int8).reshape(3, 4)


def entry(name):
    return Entry(
        name, "home", 9, 1, 10.0, "metre", "toy", 480, 51.0, 0.5, 90.0, f"{name}.safetensors"
    )


def made(path, count=3):
    index = Index(path)
    index.make()
    with index.changing() as change:
        for number in range(count):
            change.put(entry(f"map-{number:03d}"), VIEWS)
    return index


def everything(index):
    """All that can be asked of an index, and all that changes it."""
    index.entries()
    index.entries(Hint("home"))
    index.entries(Hint(None, 51.0, 0.5, 1000.0))
    index.entry("map-001")
    index.views()
    index.views(["map-001"])
    with index.changing() as change:
        change.check_fits(entry("new"), view_length=4, source="new.safetensors")
        change.put(entry("map-001"), VIEWS)
        change.remove("map-002")
        change.names("map-000.safetensors")


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE maps SET name = '../x' WHERE name = 'map-001'",
        "UPDATE maps SET name = x'00ff' WHERE name = 'map-001'",
        "UPDATE maps SET name = CAST(x'ff' AS TEXT) WHERE name = 'map-001'",
        "UPDATE maps SET place = zeroblob(9)",
        "UPDATE maps SET place = hex(zeroblob(5000000)) WHERE name = 'map-001'",
        "UPDATE maps SET bytes = -1",
        "UPDATE maps SET heads = 0",
        "UPDATE maps SET heads = 1.5",
        "UPDATE maps SET extent = -9e999",
        "UPDATE maps SET extent = 'far'",
        "UPDATE maps SET unit = 'mile'",
        "UPDATE maps SET backbone = zeroblob(3)",
        "UPDATE maps SET short_side = 1000000000",
        "UPDATE maps SET latitude = 1e9",
        "UPDATE maps SET longitude = NULL",
        "UPDATE maps SET heading = 9e999",
        "UPDATE maps SET view_length = 5",
        "UPDATE maps SET view_length = -4",
        "UPDATE maps SET view_length = 0",
        "UPDATE maps SET views = 'text'",
        "UPDATE files SET file = '../../etc.safetensors'",
        "UPDATE files SET sha256 = 'none'",
        "DELETE FROM files",
        "PRAGMA user_version = 7",
        "PRAGMA user_version = 1",
        "PRAGMA user_version = 0",
        "DROP INDEX places",
        "CREATE TABLE other (x)",
        "CREATE TRIGGER t AFTER INSERT ON maps BEGIN DELETE FROM maps; END",
        "DROP TABLE maps; CREATE VIEW maps AS WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL "
        "SELECT i + 1 FROM n) SELECT i AS id, 'a' AS name FROM n",
        "DROP TABLE maps; CREATE TABLE maps (id, name, views AS (zeroblob(1000000000)))",
    ],
)
def test_what_no_index_holds_is_one_line(tmp_path, script):
    index = made(tmp_path / "index")
    with closing(sqlite3.connect(index.path, isolation_level=None)) as connection:
        connection.executescript(script)
    with pytest.raises(MapError, match="index") as caught:
        everything(index)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_pages_that_lead_to_each_other_come_to_an_end(tmp_path):
    index = made(tmp_path / "index", count=300)
    content = bytearray(index.path.read_bytes())
    with closing(sqlite3.connect(index.path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'maps'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    page = memoryview(content)[(root - 1) * size : root * size]
    kind, _, cells = struct.unpack_from(">BHH", page)
    assert kind == 5, "the root of the table has pages below it"
    first = struct.unpack_from(">H", page, 12)[0]
    for number in range(1, cells):
        at = struct.unpack_from(">H", page, 12 + 2 * number)[0]
        page[at : at + 4] = page[first : first + 4]
    index.path.write_bytes(content)
    with pytest.raises(MapError, match="twice"):
        index.entries()
    with pytest.raises(MapError, match="twice"):
        index.views()


def test_flipped_bits_are_noticed_or_harmless(tmp_path):
    good = made(tmp_path / "index", count=40).path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        content = bytearray(good)
        for at in rng.integers(len(good), size=rng.integers(1, 30)):
            content[at] ^= 1 << rng.integers(8)
        path = tmp_path / "flipped"
        path.write_bytes(content)
        try:
            everything(Index(path))
        except MapError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 10 < refused < 60


def test_an_index_of_the_version_before_is_read_and_brought_up_to_date(tmp_path, version_1):
    path = tmp_path / "index"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(version_1)
    index = Index(path)
    (old,) = index.entries(Hint(None, 51.0, 0.5, 1000.0))
    assert (old.name, old.file, old.sha256) == ("attic", "attic.safetensors", None)
    np.testing.assert_array_equal(index.views()["attic"], [[1, 2]])
    assert version(path) == 1
    with index.changing() as change:
        assert change.names("attic.safetensors")
        change.put(entry("map-001"), VIEWS)
    assert version(path) == 2
    assert index.entry("attic") == old
    assert [e.name for e in index.entries(Hint(None, 51.0, 0.5, 1000.0))] == ["attic", "map-001"]


def test_an_index_that_somebody_begins_to_make_is_empty(tmp_path):
    (tmp_path / "index").touch()
    index = Index(tmp_path / "index")
    assert index.entries() == []
    assert index.views() == {}
    assert index.entry("a") is None
    index.make()
    index.make()
    assert index.entries() == []


def version(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]
