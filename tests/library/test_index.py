"""The index: hints by place and position, over the date line and the poles."""

import numpy as np
import pytest

from reloc.errors import MapError, OptionError
from reloc.library.entry import Entry, Hint
from reloc.library.index import Index

NO_VIEWS = np.zeros((0, 0), np.int8)


def entry(name, *, latitude=None, longitude=None, place=None, extent=10.0, unit="metre"):
    file = f"{name}.safetensors"
    return Entry(name, place, 9, 1, extent, unit, "toy", 480, latitude, longitude, file=file)


def put(index, entry, views=NO_VIEWS):
    with index.changing() as change:
        return change.put(entry, views)


def remove(index, name):
    with index.changing() as change:
        return change.remove(name)


@pytest.fixture
def index(tmp_path):
    index = Index(tmp_path / "index")
    index.make()
    for name, latitude, longitude in [
        ("greenwich", 51.4779, 0.0),
        ("westminster", 51.5007, -0.1246),
        ("fiji-west", -17.0, 179.999),
        ("fiji-east", -17.0, -179.999),
        ("pole", 89.9999, 40.0),
    ]:
        put(index, entry(name, latitude=latitude, longitude=longitude))
    put(index, entry("attic", place="home"))
    put(index, entry("cellar", place="home"))
    return index


def near(index, latitude, longitude, radius):
    return [e.name for e in index.entries(Hint(None, latitude, longitude, radius))]


@pytest.mark.parametrize(
    ("hint", "names"),
    [
        ((51.4779, 0.001, 200), ["greenwich"]),
        ((51.4779, 0.001, 20), []),
        ((51.4779, 0.001, 65), ["greenwich"]),  # its own extent counts
        ((51.49, -0.06, 9000), ["greenwich", "westminster"]),
        ((-17.0, 179.9999, 500), ["fiji-east", "fiji-west"]),
        ((-17.0, -179.9999, 500), ["fiji-east", "fiji-west"]),
        ((89.9999, -140.0, 100), ["pole"]),
        ((0.0, 0.0, 3e7), ["fiji-east", "fiji-west", "greenwich", "pole", "westminster"]),
    ],
)
def test_maps_near_a_position(index, hint, names):
    assert near(index, *hint) == names


def test_maps_of_a_place(index):
    assert [e.name for e in index.entries(Hint("home"))] == ["attic", "cellar"]
    assert index.entries(Hint("abroad")) == []
    assert len(index.entries()) == 7


def test_entries_are_replaced_and_removed(index):
    views = np.arange(12, dtype=np.int8).reshape(3, 4)
    assert put(index, entry("greenwich", latitude=10.0, longitude=10.0), views) == (
        "greenwich.safetensors"
    )
    assert near(index, 51.4779, 0.0, 1000) == []
    assert near(index, 10.0, 10.0, 1000) == ["greenwich"]
    assert list(index.views()) == ["greenwich"]
    np.testing.assert_array_equal(index.views()["greenwich"], views)
    assert remove(index, "greenwich") == "greenwich.safetensors"
    assert remove(index, "greenwich") is None
    assert near(index, 10.0, 10.0, 1000) == []
    assert index.views() == {}


@pytest.mark.parametrize(
    "hint", [(None, 1.0), (None, 1.0, 2.0), (None, 91.0, 0.0, 5.0), (None, 0.0, 0.0, -1.0)]
)
def test_impossible_hints_are_refused(hint):
    with pytest.raises(OptionError):
        Hint(*hint)


def test_other_files_and_versions_are_refused(tmp_path):
    (tmp_path / "text").write_text("no database, whatever its name may be" * 50)
    with pytest.raises(MapError, match="index"):
        Index(tmp_path / "text").entries()
