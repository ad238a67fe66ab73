"""The campus: what is measured, that it goes on where it stopped, and the points of the curves."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.mapping.views import PreparedView, prepare_view
from reloc.methods.ace import view_reader
from reloc.methods.ace.options import FULL_WIDTH
from reloc.scenes import Frame, Scene, open_scene


@pytest.fixture
def campus(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("campus")


def row(kind: str, heads: int | None, regions: int, recall: float, **more) -> dict[str, Any]:
    return {"kind": kind, "heads": heads, "regions": regions, "5cm_5deg": recall, **more}


def test_every_way_of_mapping_is_measured_once(campus) -> None:
    options = campus.Options(heads=(1, 4), full=(4,), wide=(1024, 2048))
    ways = [(v["kind"], v["heads"], v["asked_width"]) for v in campus.variants(options)]
    assert ways == [
        (campus.SHARED, 1, None),
        (campus.SHARED, 4, None),
        (campus.WIDE, 1, 1024),
        (campus.WIDE, 1, 2048),
        (campus.AUTO, None, None),
        (campus.FULL, 4, FULL_WIDTH),
    ]


def test_one_head_begins_both_curves(campus) -> None:
    rows = [
        row(campus.SHARED, 16, 16, 70.0),
        row(campus.SHARED, 1, 1, 20.0),
        row(campus.FULL, 4, 4, 50.0),
        row(campus.WIDE, 1, 1, 30.0),
    ]
    curves = [
        campus.curve(rows, kind, "5cm_5deg") for kind in (campus.SHARED, campus.FULL, campus.WIDE)
    ]
    assert curves == [[(1, 20.0), (16, 70.0)], [(1, 20.0), (4, 50.0)], [(1, 30.0)]]


def test_rows_that_are_there_are_not_measured_again(campus, tmp_path, monkeypatch, capsys) -> None:
    made = []

    def measured(scene, variant, backbone, options):
        made.append((len(scene.mapping), variant["kind"]))
        figures = dict.fromkeys(campus.COLUMNS, 1.0) | {"median_cm": float("inf")}
        return figures | {"regions": variant["heads"] or 3, "width": 512}

    frame = Frame("a.png", tmp_path / "a.png", Camera.pinhole(width=8, height=8, fx=8), np.eye(4))
    scene = Scene("campus", tmp_path, "ace", (frame, frame), (frame,), unit="metre")
    monkeypatch.setattr(campus, "measured", measured)
    monkeypatch.setattr(campus, "campus_of", lambda options: scene)
    options = campus.Options(seconds=5, heads=(1,), full=(), out=tmp_path)
    campus.run(options)
    assert made == [(2, campus.SHARED), (2, campus.WIDE), (2, campus.AUTO)]
    stored = json.loads((tmp_path / "campus.json").read_text())["rows"]
    assert [r["median_cm"] for r in stored] == [None] * 3
    assert "| by default | 3 | 512 |" in (tmp_path / "campus.md").read_text()
    assert "<svg" in (tmp_path / "campus.svg").read_text()
    campus.run(options)
    assert len(made) == 3
    campus.run(replace(options, seconds=6))
    assert len(made) == 6
    assert "lost" in capsys.readouterr().out


@pytest.mark.slow
def test_a_row_tells_of_the_map_and_views_are_made_once(campus, tmp_path, monkeypatch) -> None:
    options = campus.Options(
        rooms=1, frames=8, queries=1, size=(96, 64), seconds=5, heads=(2,), out=tmp_path
    )
    scene = campus.campus_of(options)
    assert open_scene(scene.root).name == scene.name
    read = []

    def counted(*given: Any, **options: Any) -> PreparedView:
        read.append(0)
        return prepare_view(*given, **options)

    monkeypatch.setattr(view_reader, "prepare_view", counted)
    rows = []
    with campus.sharing_views(lambda: 4 * time.process_time()):
        for heads in (2, 1):
            variant = {"kind": campus.SHARED, "heads": heads, "asked_width": None}
            rows.append(campus.measured(scene, variant, campus.load_backbone(), options))
            rows[-1]["read"] = len(read)
    two, one = rows
    assert (two["regions"], one["regions"], two["queries"]) == (2, 1, 3)
    assert two["views"] == one["views"] >= two["surveyed"] > 0
    assert two["read"] == one["read"] > 0
    assert two["megabytes"] > 1
    assert set(campus.COLUMNS) <= set(two)


def test_each_mapping_pays_for_the_views_that_it_shares(script, monkeypatch) -> None:
    module, clock = script("shared_views"), [0.0]

    def slow(*args, **options):
        clock[0] += 7.0
        return "views"

    monkeypatch.setattr(module.mapper, "survey_frames", slow)
    with module.sharing_views(lambda: clock[0]):
        assert module.mapper.survey_frames() == "views"
        assert time.monotonic() == 7
        assert module.mapper.survey_frames() == "views"
        assert time.monotonic() == time.perf_counter() == 14
    assert clock == [7]
    assert module.mapper.survey_frames is slow
