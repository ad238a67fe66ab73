"""What a repair finds, mends and leaves alone."""

import os
import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest

from reloc.heads import MlpHead
from reloc.library import MapLibrary
from reloc.library.repair import SECONDS_OF_WORK
from reloc.maps import Region, SceneMap


def written(path, extent=10.0):
    views = np.arange(1, 11, dtype=np.int8)[None]
    region = Region(MlpHead(channels=4, width=8, blocks=0), np.zeros(3), views=views)
    SceneMap((region,), "toy", 480, extent, "metre", ()).save(path)
    return path


@pytest.fixture
def library_(tmp_path):
    library = MapLibrary(tmp_path / "shelf", create=True)
    for name in ("a", "b", "c"):
        library.add(written(tmp_path / f"{name}.safetensors"))
    return library


def findings(library):
    return {(f.kind, f.name, f.mended) for f in library.repair()}


def test_a_library_in_order_stays_as_it_is(library_):
    before = library_.entries(), sorted(library_._store.files())
    assert findings(library_) == set()
    assert (library_.entries(), sorted(library_._store.files())) == before


def test_strays_are_removed_when_nobody_can_be_at_work_on_them(library_, tmp_path):
    folder = tmp_path / "shelf"
    killed, fresh = f"x@{'0' * 16}.safetensors", f"y@{'1' * 16}.safetensors"
    parts = ".a.safetensors.0123abcd.part", ".library.sqlite.x_y4.part", ".reloc-01_3abcd.part"
    foreign = "own.safetensors", "notes.txt", ".hidden.part"
    old = time.time() - SECONDS_OF_WORK - 60
    for name in (killed, *parts, *foreign):
        (folder / name).touch()
        os.utime(folder / name, (old, old))
    (folder / fresh).touch()
    assert findings(library_) == {
        ("stray", killed, True),
        *(("stray", part, True) for part in parts),
        ("stray", fresh, False),
        ("stray", "own.safetensors", False),
    }
    there = {path.name for path in folder.iterdir()}
    assert there.isdisjoint({killed, *parts})
    assert there > {fresh, *foreign}
    assert [entry.name for entry in library_.entries()] == ["a", "b", "c"]


def test_maps_whose_file_is_wrong_are_told_and_kept(library_, tmp_path):
    folder = tmp_path / "shelf"
    files = {entry.name: folder / entry.file for entry in library_.entries()}
    files["a"].unlink()
    content = bytearray(files["b"].read_bytes())
    content[-1] ^= 1
    files["b"].write_bytes(content)
    assert findings(library_) == {("missing", "a", False), ("another", "b", False)}
    assert [entry.name for entry in library_.entries()] == ["a", "b", "c"]
    library_.add(tmp_path / "a.safetensors")
    library_.remove("b")
    assert findings(library_) == set()


def test_maps_without_a_digest_are_compared_with_their_row(tmp_path, version_1):
    folder = tmp_path / "shelf"
    folder.mkdir()
    written(folder / "attic.safetensors", extent=9.0)
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        connection.executescript(version_1)
        connection.execute(
            "UPDATE maps SET view_length = 10, views = ?, bytes = ?",
            [bytes(range(1, 11)), (folder / "attic.safetensors").stat().st_size],
        )
    library = MapLibrary(folder)
    assert findings(library) == {("another", "attic", False)}
    written(folder / "attic.safetensors", extent=10.0)
    assert findings(library) == set()
    assert library.entry("attic").sha256 is not None
