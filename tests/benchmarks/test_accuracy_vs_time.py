"""The curve of accuracy against mapping time: what is measured once, and how it is shown."""

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from reloc.scenes import Scene


@pytest.fixture
def module(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("accuracy_vs_time")


@pytest.fixture(scope="module")
def place(made_scene: Callable[..., Path]) -> Path:
    return made_scene(mapping=7, queries=3)


def row(method: str, limit: float, median: float | None, *, unit: str = "metre") -> dict[str, Any]:
    return {
        "method": method,
        "limit": limit,
        "seconds": limit,
        "steps": 7,
        "scene": "place",
        "unit": unit,
        "extent": 2.0,
        "median": median,
        "quartiles": [0.01, None],
        "median_deg": 0.5,
        "recall_5cm_5deg": 75.0,
        "clock": "wall",
    }


def test_what_was_measured_is_not_measured_again(module, place, tmp_path, monkeypatch):
    made = []

    def mapped(scene: Scene, backbone, method, seconds, options, progress):
        made.append((method, seconds, len(scene.queries)))
        time.sleep(0.02)
        return SimpleNamespace()

    monkeypatch.setattr(module, "mapped", mapped)
    monkeypatch.setattr(module, "measured", lambda *_: row("", 0, 0.02))
    options = module.Options(place, methods=("ace",), seconds=(15, 30), every=2, out=tmp_path)
    module.run(options)
    assert made == [("ace", 15, 2), ("ace", 30, 2)]
    more = module.Options(
        place, methods=("ace", "dsacstar-rgb"), seconds=(30,), every=2, out=tmp_path
    )
    module.run(more)
    assert made[2:] == [("dsacstar-rgb", 30, 2)]
    text = (tmp_path / f"{place.name}.md").read_text()
    assert text.count("| ACE (reloc map) |") == 2 and text.count("| DSAC*, poses alone |") == 1
    assert "<svg" in (tmp_path / f"{place.name}.svg").read_text()


def test_lengths_are_told_in_centimetres_or_as_shares(module):
    metric = module.table([row("ace", 30, 0.02)])
    assert "median cm" in metric and "| 30 s | 7 | 2 | 1 to inf | 0.50 | 75 % |" in metric
    share = module.table([row("ace", 30, 0.02, unit="unknown")])
    assert "median % of extent" in share and "| 1 | 0.5 to inf |" in share
    assert "| inf |" in module.table([row("ace", 30, None)])


def test_the_clock_of_the_processor_stands_still_while_others_work(module):
    with module.counting("processor"):
        began = time.monotonic()
        time.sleep(0.3)
        assert time.monotonic() - began < 0.2
    began = time.monotonic()
    time.sleep(0.3)
    assert time.monotonic() - began >= 0.3
