"""Estimates as a person reads them on a terminal."""

import json
import os
import sys
from contextlib import suppress

import numpy as np
import pytest

from reloc.cli.pose_output import OutputOptions, pose_output
from reloc.cli.pose_table import WIDEST_NAME, PoseTable
from reloc.geometry import Camera
from reloc.images.sources import NamedImage
from reloc.localize import Estimate

POSE = np.array([[0, 0, 1, 1.234], [0, 1, 0, -2], [-1, 0, 0, 3], [0, 0, 0, 1.0]])
FOUND = Estimate(
    "a/1.jpg",
    True,
    POSE,
    covariance=np.diag([1e-6] * 3 + [1e-4] * 3),
    camera=Camera.pinhole(width=640, height=480, fx=525),
    camera_source="map",
)
LOST = Estimate("a/2.jpg", False, POSE, reason="the picture is too dark; make more light")


def test_a_pose_in_words():
    table = PoseTable(["a/1.jpg"], "metre")
    row = table.row(FOUND)
    for column, text in (("found", "yes"), ("position (m)", "1.23 -2.00 3.00")):
        assert row[table.header.index(column) :].startswith(text)
    assert row[table.header.index("looks along") :].startswith("1.00 0.00 0.00 ")
    # The median length of a vector of three numbers with deviations of 1 cm is about 1.5 cm; the
    # tails and the core of the distribution make it somewhat less.
    error = row[table.header.index("error about") :]
    assert 1.0 < float(error.split(" cm")[0]) < 1.6
    assert row.endswith("525 px (map)")


def test_lost_photos_say_why_and_nothing_of_a_pose():
    table = PoseTable(["a/1.jpg"], "metre")
    row = table.row(LOST)
    assert row == f"a/2.jpg  no     {LOST.reason}"
    assert table.summary == "0 of 1 localized"


def test_other_units_have_no_name():
    table = PoseTable(None, "unknown")
    assert " cm" not in table.row(FOUND)
    assert "(m)" not in table.header


def test_long_names_keep_their_end():
    name = "folder/" * 20 + "17.jpg"
    shown = PoseTable([name], "metre").row(Estimate(name, False, None)).split()[0]
    assert len(shown) == WIDEST_NAME
    assert name.endswith(shown.removeprefix("..."))


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
@pytest.mark.parametrize(("terminal", "as_json"), [(True, False), (True, True), (False, False)])
def test_json_goes_to_pipes_and_a_table_to_a_terminal(monkeypatch, tmp_path, terminal, as_json):
    ours, theirs = os.openpty() if terminal else os.pipe()
    with os.fdopen(theirs, "w") as out:
        monkeypatch.setattr("sys.stdout", out)
        with pose_output(OutputOptions(json=as_json), PoseTable(["a/1.jpg"], "metre")) as poses:
            poses.expect(NamedImage("a/1.jpg", tmp_path))
            poses.add(FOUND)
        monkeypatch.undo()
    seen = b""
    with suppress(OSError):  # what Linux says when the other end is closed
        while chunk := os.read(ours, 4096):
            seen += chunk
    os.close(ours)
    lines = seen.decode().splitlines()
    if terminal and not as_json:
        assert [line.split()[0] for line in lines] == ["photo", "a/1.jpg", "1"]
    else:
        assert [json.loads(line)["image"] for line in lines] == ["a/1.jpg"]
