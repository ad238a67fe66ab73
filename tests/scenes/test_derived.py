"""What is made of a capture is made once, and again when the capture has changed."""

import os

import pytest

from reloc.errors import SceneError
from reloc.scenes import derived
from reloc.scenes.derived import derived_folder


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "walk.mp4"
    path.write_bytes(b"1")
    return path


def test_made_once_until_the_source_changes(source):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "frame.txt").write_text(f"{len(made)}")

    folder = derived_folder(source, make)
    assert folder == source.with_name("walk.mp4.reloc")
    assert derived_folder(source, make) == folder and len(made) == 1
    source.write_bytes(b"22")
    assert (derived_folder(source, make) / "frame.txt").read_text() == "2"


def test_nothing_stays_of_what_failed(source):
    def fail(folder):
        (folder / "half").write_text("")
        raise SceneError("damaged")

    with pytest.raises(SceneError, match="damaged"):
        derived_folder(source, fail)
    assert [path.name for path in source.parent.iterdir()] == ["walk.mp4"]


def test_a_folder_of_somebody_else_is_left_alone(source):
    theirs = source.with_name("walk.mp4.reloc")
    theirs.mkdir()
    (theirs / "work.txt").write_text("mine")
    with pytest.raises(SceneError, match=r"walk\.mp4\.reloc: is in the way"):
        derived_folder(source, lambda folder: None)
    assert (theirs / "work.txt").read_text() == "mine"


def test_elsewhere_where_nothing_can_be_written(source, monkeypatch):
    """As in a data set that is mounted to be read alone."""
    monkeypatch.setattr(derived, "_writable", lambda folder: False)
    folder = derived_folder(source, lambda folder: (folder / "a").touch())
    assert folder.parent != source.parent and (folder / "a").exists()
    assert derived_folder(source, lambda folder: (folder / "b").touch()) == folder
    assert os.listdir(source.parent) == ["walk.mp4"]  # noqa: PTH208


def test_two_processes_at_a_time(source):
    """The second finds what the first has made meanwhile."""

    def make(folder):
        derived_folder(source, lambda other: (other / "first").touch())
        (folder / "second").touch()

    folder = derived_folder(source, make)
    assert [path.name for path in folder.iterdir() if path.name[0] != "."] == ["first"]
