"""Temporary files and folders: gone at the end, and swept after a process that was killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reloc import temporary
from reloc.files import check_writable, write_text
from reloc.temporary import temporary_file, temporary_folder

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="no locks there")

# Makes a file and a folder beside a result and a folder elsewhere, says so, and waits.
OTHER = """
import sys
from pathlib import Path
from reloc.temporary import temporary_file, temporary_folder
beside = Path(sys.argv[1])
with temporary_file(beside) as a, temporary_folder(beside) as b, temporary_folder() as c:
    for folder in (b, c):
        (folder / "inside").write_text("")
    print(a, b, c, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def new_process(monkeypatch, tmp_path):
    """As if nothing had been swept yet, with a folder of its own for what is temporary."""
    temporary._sweep.cache_clear()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def other(tmp_path):
    """A process that holds two temporary things in ``out`` and one elsewhere."""
    (tmp_path / "out").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


def parts(tmp_path):
    return [path for name in ("out", "tmp") for path in (tmp_path / name).iterdir()]


@pytest.mark.parametrize("make", [temporary_file, temporary_folder])
def test_it_is_there_within_the_block_alone(tmp_path, make):
    with pytest.raises(RuntimeError), make(tmp_path) as path:
        assert path.exists()
        assert path.parent == tmp_path
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["tmp"]


@needs_locks
def test_what_a_killed_process_left_is_swept(tmp_path, other):
    assert len(parts(tmp_path)) == 3
    other.kill()
    other.wait()
    assert len(parts(tmp_path)) == 3
    check_writable(tmp_path / "out" / "another")
    with temporary_folder():
        assert len(parts(tmp_path)) == 1
    assert parts(tmp_path) == []


@needs_locks
def test_what_a_living_process_has_is_left_alone(tmp_path, other):
    before = parts(tmp_path)
    write_text(tmp_path / "out" / "ours", "")
    with temporary_folder():
        pass
    assert set(before) <= set(parts(tmp_path))


@needs_locks
def test_what_is_not_ours_is_left_alone(tmp_path):
    for name in (".reloc-document.txt", "reloc-projects", ".map.abcd1234.part", "reloc-abcd.part"):
        (tmp_path / name).write_text("precious")
    os.mkfifo(tmp_path / "reloc-abcd1234.part")
    (tmp_path / ".reloc-abcd1234.part").symlink_to(tmp_path / "reloc-projects")
    before = set(tmp_path.iterdir())
    check_writable(tmp_path / "new")
    assert set(tmp_path.iterdir()) == before


@needs_locks
def test_a_file_that_was_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    made = []
    new = temporary._new_file

    def swept(*arguments):
        handle, name = new(*arguments)
        made.append(name)
        if len(made) == 1:
            Path(name).unlink()
        return handle, name

    monkeypatch.setattr(temporary, "_new_file", swept)
    with temporary_file(tmp_path) as path:
        assert path.exists()
    assert len(made) == 2
