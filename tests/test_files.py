"""Files and folders that appear complete or not at all."""

import errno
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import OutputError
from reloc.files import (
    atomic_folder,
    atomic_path,
    check_writable,
    is_stream,
    json_text,
    write_text,
)

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


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


@needs_posix
@pytest.mark.parametrize("there", [False, True])
def test_of_a_link_the_target_is_replaced(tmp_path, there):
    target = tmp_path / "elsewhere" / "a.txt"
    if there:
        write_text(target, "old")
    (tmp_path / "second").symlink_to(target)
    (tmp_path / "link").symlink_to("second")
    check_writable(tmp_path / "link")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "new"
    assert not target.is_symlink()


@needs_posix
def test_of_a_link_to_a_folder_the_target_is_filled(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new" / "folder")
    for name in ("dangling", "empty"):
        with atomic_folder(tmp_path / "link") as temporary:
            (temporary / "a.txt").write_text(name)
        assert (tmp_path / "new" / "folder" / "a.txt").read_text() == name
        (tmp_path / "new" / "folder" / "a.txt").unlink()
    assert (tmp_path / "link").is_symlink()


@needs_posix
def test_devices_are_written_to_and_stay():
    check_writable(Path(os.devnull))
    write_text(Path(os.devnull), "nothing")
    assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(sys.platform != "linux", reason="a device of Linux")
def test_a_full_device_is_told():
    with pytest.raises(OutputError, match="/dev/full: cannot be written"):
        write_text(Path("/dev/full"), "too much")


@needs_posix
def test_a_pipe_gets_what_is_written(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    check_writable(pipe)
    with pytest.raises(RuntimeError), atomic_path(pipe):
        raise RuntimeError  # nothing of a block that failed
    write_text(pipe, "whole")
    reader.join()
    assert got == ["whole"]
    assert pipe.is_fifo()
    assert [p.name for p in tmp_path.iterdir()] == ["pipe"]


@needs_posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_goes_on_after_it(tmp_path, name):
    code = (
        "import sys; from pathlib import Path; from reloc.files import write_text; "
        "print('before'); write_text(Path(sys.argv[1]), 'within\\n'); print('after')"
    )
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code, name], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "before\nwithin\nafter\n"
    assert is_stream(Path(name))
    assert not is_stream(tmp_path / "out")
    assert not is_stream(tmp_path / "none")


def test_a_reader_that_went_away_is_no_fault_of_the_place(tmp_path):
    with pytest.raises(BrokenPipeError), atomic_path(tmp_path / "a"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.skipif(sys.platform != "linux", reason="tells files from folders by /proc")
def test_content_lasts_before_its_name_does(tmp_path, monkeypatch):
    """Else a power cut leaves the new name with nothing under it."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle):
        done.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file")
        fsync(handle)

    def renamed(path, target):
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_text(tmp_path / "a.txt", "new")
    with atomic_folder(tmp_path / "b") as temporary:
        (temporary / "inside").mkdir()
        (temporary / "inside" / "c.txt").write_text("1")
    of_file, of_folder = done[:3], done[3:]
    assert of_file == ["file", "rename", "folder"]
    assert of_folder == ["folder", "file", "folder", "rename", "folder"]
