"""Libraries in a bucket: one writer at a time."""

import uuid
from typing import Any

import numpy as np
import pytest

from reloc.errors import MapError
from reloc.heads import MlpHead
from reloc.library import Hint, MapLibrary, bucket
from reloc.maps import Region, SceneMap


@pytest.fixture
def url(monkeypatch):
    """An empty bucket in memory, whose lock nobody waits for."""
    monkeypatch.setattr(bucket, "_SECONDS_TO_WAIT", 0.0)
    monkeypatch.setattr(bucket, "_SECONDS_BETWEEN_TRIES", 0.0)
    return f"memory://reloc-{uuid.uuid4().hex}/maps"


@pytest.fixture
def one(tmp_path):
    path = tmp_path / "one.safetensors"
    head = MlpHead(channels=4, width=8, blocks=0)
    SceneMap((Region(head, np.zeros(3)),), "toy", 240, 4.0, "metre", ()).save(path)
    return path


def test_a_bucket_holds_a_library_too(url, one):
    MapLibrary(url, create=True).add(one, place="home")
    again = MapLibrary(url)
    assert [e.name for e in again.entries(Hint("home"))] == ["one"]
    assert again.load("one").backbone == "toy"
    again.remove("one")
    assert MapLibrary(url).entries() == []
    assert sorted(again._store.files()) == ["library.sqlite"]


def test_two_that_have_opened_a_bucket_write_one_after_the_other(url, one):
    first, second = MapLibrary(url, create=True), MapLibrary(url, create=True)
    first.add(one, name="a")
    second.add(one, name="b")
    first.add(one, name="c")
    assert [e.name for e in MapLibrary(url).entries()] == ["a", "b", "c"]


def test_a_reader_follows_a_map_that_was_replaced(url, one):
    MapLibrary(url, create=True).add(one)
    reader = MapLibrary(url)
    head = MlpHead(channels=4, width=8, blocks=0)
    SceneMap((Region(head, np.zeros(3)),), "toy", 240, 5.0, "metre", ()).save(one)
    MapLibrary(url).add(one)
    assert reader.load("one").extent == 5.0


def test_a_second_writer_is_refused(url, one):
    library, other = MapLibrary(url, create=True), MapLibrary(url)
    with other._store.locked(), pytest.raises(MapError, match="another writer is at work"):
        library.add(one)
    library.add(one)
    assert [e.name for e in other._index.entries()] == []
    assert [e.name for e in MapLibrary(url).entries()] == ["one"]


def test_where_locks_do_not_hold_a_change_of_the_index_is_noticed(url, one, monkeypatch):
    library, other = MapLibrary(url, create=True), MapLibrary(url)
    library.add(one, name="a")
    publish = type(library._store).publish

    def meanwhile(*arguments):
        monkeypatch.setattr(type(library._store), "publish", publish)
        publish(*arguments)
        other.add(one, name="b")

    # As with a protocol that creates a file whether or not it is there.
    monkeypatch.setattr(bucket.BucketStore, "_take", lambda *_: True)
    monkeypatch.setattr(type(library._store), "publish", meanwhile)
    with pytest.raises(MapError, match="another writer changed"):
        library.add(one, name="c")
    assert [e.name for e in library.entries()] == ["a", "b"]
    assert [e.name for e in MapLibrary(url).entries()] == ["a", "b"]
    assert not [file for file in library._store.files() if file.startswith("c@")]


def test_a_repair_takes_the_lock_of_a_writer_that_was_killed(url, one, monkeypatch):
    library = MapLibrary(url, create=True)
    library.add(one)
    store: Any = library._store
    store._files.pipe_file(store._path(bucket.LOCK), b"host 1 x")
    with pytest.raises(MapError, match="repair"):
        library.repair()
    monkeypatch.setattr("reloc.library.library.SECONDS_OF_WORK", -1.0)
    (found,) = library.repair()
    assert (found.kind, found.mended) == ("lock", True)
    library.remove("one")
