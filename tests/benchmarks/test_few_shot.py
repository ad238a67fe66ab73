"""The few-shot table: what is measured, what a row holds, and that it goes on where it stopped."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reloc.evaluation.metrics import evaluate
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame, Scene


@pytest.fixture
def few_shot(script):
    return script("few_shot")


def scene_of(tmp_path, count=30):
    camera = Camera.pinhole(width=64, height=48, fx=50)
    frames = []
    for number in range(count):
        pose = np.eye(4)
        pose[0, 3] = number
        frames.append(Frame(f"{number}.png", tmp_path / f"{number}.png", camera, pose))
    return Scene("toy", tmp_path, "ace", tuple(frames), queries=tuple(frames), unit="metre")


def evaluation_of(scene, shift):
    """Queries that miss by ``shift`` metres, every other one lost."""
    estimates = []
    for number, frame in enumerate(scene.queries):
        pose = frame.world_from_cam.copy()
        pose[1, 3] += shift
        lost = number % 2 == 1
        estimates.append(
            Estimate(frame.name, localized=not lost, world_from_cam=None if lost else pose)
        )
    return evaluate(
        estimates,
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=1,
        mapping_seconds=2.0,
        unit=scene.unit,
        scene_name=scene.name,
    )


def test_a_row_counts_lost_queries_as_misses(few_shot, tmp_path):
    scene = scene_of(tmp_path)
    row = few_shot.row_of(scene, evaluation_of(scene, 0.2))
    assert (row["10cm_5deg"], row["25cm_5deg"]) == (0, 50)
    assert row["mapping_seconds"] == 2
    unitless = replace(scene, unit="unknown")
    assert "25cm_5deg" not in few_shot.row_of(unitless, evaluation_of(unitless, 0.2))


def test_rows_that_are_there_are_not_measured_again(few_shot, tmp_path, monkeypatch, capsys):
    scene = scene_of(tmp_path)
    calls = []

    def measure(name):
        def measured(scene, *, progress):
            calls.append((name, len(scene.mapping), len(scene.queries)))
            return evaluation_of(scene, 0.01)

        return measured

    def methods(options, place):
        return iter([("ridge", measure("ridge")), ("mlp 10 s", measure("mlp"))])

    monkeypatch.setattr(few_shot, "opened", lambda name, folder: scene)
    monkeypatch.setattr(few_shot, "methods", methods)
    options = few_shot.Options(scenes=tmp_path, frames=(10,), queries=5, out=tmp_path / "out")
    few_shot.run(options)
    assert calls == [("ridge", 10, 5), ("mlp", 10, 5), ("ridge", 30, 5), ("mlp", 30, 5)]
    few_shot.run(options)
    assert len(calls) == 4
    rows = json.loads((tmp_path / "out" / "few_shot.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["ridge", "mlp 10 s"] * 2
    printed = capsys.readouterr().out
    assert "| redkitchen | 10 | ridge |" in printed
    assert (tmp_path / "out" / "few_shot.md").read_text() in printed
