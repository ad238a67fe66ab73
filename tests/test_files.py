"""Files and folders that appear complete or not at all."""

from pathlib import Path

import pytest

from reloc.errors import OutputError
from reloc.files import atomic_folder, atomic_path, write_text


def test_a_file_takes_its_place_when_the_block_succeeds(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_a_failed_block_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_takes_its_place_when_the_block_succeeds(tmp_path, there):
    target = tmp_path / "new" / "folder"
    if there:
        target.mkdir(parents=True)
    with atomic_folder(target) as temporary:
        (temporary / "a.txt").write_text("1")
        assert not (target / "a.txt").exists()
    assert (target / "a.txt").read_text() == "1"
    assert [path.name for path in target.parent.iterdir()] == ["folder"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert target.stat().st_mode == plain.stat().st_mode


def test_a_failed_block_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as temporary:
        (temporary / "a.txt").write_text("1")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken_by", ["file", "folder"])
def test_a_taken_place_is_left_alone(tmp_path, taken_by):
    target = tmp_path / "out"
    keep = target if taken_by == "file" else target / "keep.txt"
    keep.parent.mkdir(exist_ok=True)
    keep.write_text("keep")
    with pytest.raises(OutputError, match="already there"), atomic_folder(target):
        pytest.fail("the block must not run")
    assert keep.read_text() == "keep"


def test_a_disk_error_names_the_target_and_the_remedy(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for place in (atomic_path, atomic_folder):
        with (
            pytest.raises(OutputError, match=r"cannot be written.*choose a folder"),
            place(Path(blocked / "below")),
        ):
            pytest.fail("the block must not run")
