"""The folders of Ray's sessions: private, and gone when nobody holds them."""

import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reloc.fleet import session
from reloc.fleet.session import Session, sweep


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the folder of temporary files."""
    monkeypatch.setattr(session, "_MAX_BASE", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_session_is_private_and_goes_with_all_that_is_in_it(base: Path) -> None:
    opened = Session()
    (folder,) = base.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert opened.ray.parent == folder
    with opened.inherited():
        assert Path(os.environ["TMPDIR"]).parent == folder
        (Path(os.environ["TMPDIR"]) / "left").touch()
    assert os.environ.get("TMPDIR") != str(folder / "tmp")
    opened.close()
    assert list(base.iterdir()) == []


def test_folders_of_killed_sessions_are_swept_and_no_others(
    base: Path, killed_after: Callable[[Callable[[], object]], None]
) -> None:
    kept = []
    killed_after(lambda: kept.append(Session()))
    held = Session()
    young = base / "reloc-ray-young"
    other = base / "reloc-other"
    elsewhere = base / "elsewhere"
    for folder in (young, other, elsewhere):
        folder.mkdir()
    (base / "reloc-ray-link").symlink_to(elsewhere)
    (killed,) = set(base.glob("reloc-ray-*")) - {held.ray.parent, young, base / "reloc-ray-link"}
    old = time.time() - 3600
    for folder in base.iterdir():
        os.utime(folder, (old, old), follow_symlinks=False)
    young.touch()
    sweep(base)
    assert not killed.exists()
    assert {p.name for p in base.iterdir()} == {
        held.ray.parent.name, "reloc-ray-young", "reloc-ray-link", "reloc-other", "elsewhere"
    }  # fmt: skip
    held.close()
