"""The harness sees what it is for."""

from pathlib import Path

import pytest

from reloc.errors import SceneError
from tests.fuzz import running
from tests.fuzz.running import run_input
from tests.fuzz.target import Target

FILES = {"given.txt": b"1"}


def _raise(error: Exception) -> None:
    raise error


def _swell(folder: Path) -> None:
    bytearray(b"x") * (100 << 20)


@pytest.mark.parametrize(
    ("load", "ending", "where"),
    [
        (lambda folder: None, "loaded", ""),
        (
            lambda folder: _raise(SceneError(f"{folder}/given.txt: bad; mend it")),
            "refused",
            "SceneError",
        ),
        (lambda folder: _raise(SceneError("bad; mend it")), "message", "does not name the file"),
        (lambda folder: _raise(SceneError("given.txt:\nbad")), "message", "is not one line"),
        (lambda folder: _raise(SceneError("given.txt " * 999)), "message", "is too long"),
        (lambda folder: _raise(OSError(22, "bad")), "traceback", "made OSError"),
        (lambda folder: [][0], "traceback", "made IndexError"),
        (_swell, "memory", "made"),
    ],
)
def test_endings(load, ending, where, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "MEMORY_BYTES", 50 << 20)
    target = Target("made", lambda _: FILES, 1, load)
    outcome = run_input(target, FILES, tmp_path)
    assert outcome.ending == ending
    assert where in outcome.where


def test_a_use_may_refuse_in_its_own_words(tmp_path: Path) -> None:
    target = Target(
        "made", lambda _: FILES, 1, lambda _: None, lambda _: _raise(SceneError("too few frames"))
    )
    assert run_input(target, FILES, tmp_path).ending == "refused"
