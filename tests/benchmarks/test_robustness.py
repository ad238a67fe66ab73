"""Spoiled queries with the truth that fits, resumed runs, and the points of the curves."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.scenes import Frame, Scene


@pytest.fixture
def module(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("robustness")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two mapping cameras a metre apart and three queries."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (64, 48)))
        pose = np.eye(4)
        pose[0, 3] = number
        frames.append(Frame(path.name, path, Camera.pinhole(width=64, height=48, fx=60), pose))
    return Scene("place", tmp_path, "ace", tuple(frames[:2]), tuple(frames), unit="metre")


def told(frame: Frame) -> Estimate:
    """Localization by someone who knows, as long as the picture is not too dark."""
    bright = cv2.imread(str(frame.image)).mean() > 30
    return Estimate(frame.name, bright, frame.world_from_cam if bright else None, inliers=9)


def test_queries_are_spoiled_the_same_way_every_time(module, scene, tmp_path) -> None:
    frame = scene.queries[0]
    paths = [tmp_path / f"spoiled{n}.png" for n in range(3)]
    one, two, more = (
        module.spoiled(frame, "turned", strength, path)
        for strength, path in zip((20, 20, 40), paths, strict=True)
    )
    assert one.image.read_bytes() == two.image.read_bytes() != more.image.read_bytes()
    turn, further = (np.arctan2(*f.world_from_cam[1::-1, 0]) for f in (one, more))
    assert further == pytest.approx(2 * turn)
    same = module.spoiled(frame, "none", 0, paths[0])
    assert np.array_equal(cv2.imread(str(same.image)), cv2.imread(str(frame.image)))


def test_recall_is_that_of_the_spoiled_queries(module, scene) -> None:
    silent = lambda *_, **__: None  # noqa: E731
    assert module.measured(scene, told, "turned", 45, progress=silent)["5cm_5deg"] == 100
    assert module.measured(scene, told, "darkened", 5, progress=silent)["5cm_5deg"] < 50


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(module, scene, tmp_path, monkeypatch) -> None:
    made = []

    def localizer(path, options):
        made.append(path)
        return told

    monkeypatch.setattr(module, "opened", lambda name, folder: scene)
    monkeypatch.setattr(module, "by_map", localizer)
    out = tmp_path / "out"
    few = module.Options(
        scenes=tmp_path, maps={"place": Path("a")}, changes=("darkened",), queries=2, out=out
    )
    module.run(few)
    rows = json.loads((out / "robustness.json").read_text())["rows"]
    assert [(r["change"], r["strength"]) for r in rows] == [
        ("none", 0), *(("darkened", s) for s in (1, 2, 3, 4, 5)),
    ]  # fmt: skip
    assert rows[0]["5cm_5deg"] == 100 > rows[-1]["5cm_5deg"]
    assert "<svg" in (out / "robustness-place.svg").read_text()
    module.run(few)
    assert len(made) == 1
    module.run(module.Options(**vars(few) | {"changes": ("darkened", "JPEG")}))
    assert len(made) == 2
    assert len(json.loads((out / "robustness.json").read_text())["rows"]) == 6 + 5


def test_curves_go_through_the_untouched_queries(script) -> None:
    rows = [
        {"method": "reloc", "change": change, "strength": strength, "r": recall}
        for change, strength, recall in (
            ("none", 0, 90), ("zoomed", 2, 40), ("zoomed", 0.5, 50), ("JPEG", 5, 30),
        )
    ]  # fmt: skip
    curves = script("robustness_plot").curves
    zoomed = curves(rows, change="zoomed", method="reloc", measure="r")
    assert zoomed == [(0.5, 50), (1, 90), (2, 40)]
    assert curves(rows, change="JPEG", method="reloc", measure="r") == [(5, 30)]
    assert curves(rows, change="noise", method="reloc", measure="r") == []


@pytest.mark.parametrize("bad", [{"changes": ("rain",)}, {"queries": 0}, {"maps": {}}])
def test_impossible_options_are_refused(module, tmp_path, bad) -> None:
    good = {"scenes": tmp_path, "maps": {"place": Path("a")}}
    with pytest.raises(OptionError):
        module.Options(**good | bad)
