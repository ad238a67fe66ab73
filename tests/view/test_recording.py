"""A recording for Rerun: what is in it, and what is said where Rerun is missing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reloc.errors import OptionError
from reloc.view.recording import write_recording


def test_a_missing_rerun_is_named_with_its_extra(gallery, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(OptionError, match=r"extra viz; run `pip install 'reloc\[viz\]'`"):
        write_recording(tmp_path / "place.rrd", gallery.shown())
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_points_cameras_and_errors_are_recorded(gallery, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    path = tmp_path / "deep" / "place.rrd"
    shown = gallery.shown()
    odd = replace(shown.frames[0], name="m\udcff.jpg")  # as Python reads a name that is no UTF-8
    write_recording(path, replace(shown, frames=(odd, *shown.frames[1:])))
    assert [file.name for file in path.parent.iterdir()] == ["place.rrd"]
    printed = subprocess.run(
        [sys.executable, "-m", "rerun", "rrd", "print", str(path)],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    for entity in (
        "/place/points",
        "/place/landmarks",
        "/place/mapping/m3",
        "/place/query/true",
        "/place/query/estimate",
        "/place/query/estimate/photo",
        "/errors/position",
    ):
        assert entity in printed
