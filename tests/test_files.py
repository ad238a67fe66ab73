"""Files and folders that appear complete or not at all."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import OutputError
from reloc.files import atomic_folder, atomic_path, json_text, write_text


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


def test_files_get_the_permissions_of_the_umask(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "Straße 北")
    assert (tmp_path / "a.txt").read_bytes() == "Straße 北".encode()


def test_json_is_strict_and_knows_arrays():
    value = {
        "pose": np.eye(2),
        "count": np.int64(3),
        "error": np.float32(0.5),
        "bad": [np.nan, math.inf, np.array([1.0, -np.inf])],
        "flag": np.bool_(True),
        "nested": ({"a": None},),
    }
    assert json.loads(json_text(value, indent=None)) == {
        "pose": [[1, 0], [0, 1]],
        "count": 3,
        "error": 0.5,
        "bad": [None, None, [1, None]],
        "flag": True,
        "nested": [{"a": None}],
    }
