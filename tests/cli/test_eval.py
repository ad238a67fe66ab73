"""``reloc eval``: figures, files and notes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reloc.maps import SceneMap

KEYS = {
    "queries",
    "localized",
    "map_bytes",
    "mapping_seconds",
    "scene_extent",
    "median_translation",
    "median_rotation_deg",
    "recall",
    "recall_of_extent",
    "seconds_per_query",
    "frames",
}


@pytest.fixture
def seen(place):
    """The scene with two of its mapping images as queries, which the map knows by heart."""
    path = place / "seen.txt"
    path.write_text("train/rgb/00001.jpg\ntrain/rgb/00004.jpg\n")
    return path


def test_json_holds_the_figures_of_the_specification(reloc, made_map, place, seen, tmp_path):
    out = tmp_path / "figures" / "eval.json"
    run = reloc("eval", made_map, place, "--query", seen, "--json", out)
    assert run.status == 0, run.err
    facts = json.loads(out.read_text())
    assert set(facts) == KEYS | {"scene_name", "map_name", "unit", "notes"}
    assert (facts["queries"], facts["localized"]) == (2, 2)
    assert facts["map_bytes"] == made_map.stat().st_size
    assert facts["mapping_seconds"] > 0
    assert facts["scene_extent"] > 0.5
    assert 0 < facts["median_translation"] < 0.2
    assert 0 < facts["median_rotation_deg"] < 2
    assert set(facts["recall"]) == {
        "1cm_1deg", "2cm_2deg", "5cm_5deg", "10cm_5deg", "25cm_2deg",
    }  # fmt: skip
    assert set(facts["recall_of_extent"]) == {"0.1%_0.1deg", "1%_2deg", "3%_5deg"}
    assert set(facts["seconds_per_query"]) == {"median", "read", "backbone", "head", "pose"}
    assert [frame["image"] for frame in facts["frames"]] == [
        "train/rgb/00001.jpg",
        "train/rgb/00004.jpg",
    ]
    assert "2 of 2" in run.out
    assert "localizing: 2/2" in run.err


@pytest.mark.slow
def test_a_report_shows_the_worst_frames(reloc, made_map, place, seen, tmp_path):
    run = reloc("eval", made_map, place, "--query", seen, "--report", tmp_path / "report")
    assert run.status == 0, run.err
    page = tmp_path / "report" / "index.html"
    assert run.out.splitlines()[-1] == f"report: {page}"
    assert "train/rgb/00004.jpg" in page.read_text()


def test_lost_and_unreadable_queries_count_as_misses(reloc, made_map, place, seen, tmp_path):
    image = place / "train" / "rgb" / "00004.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "eval.json"
    assert reloc("eval", made_map, place, "--query", seen, "--json", out).status == 0
    facts = json.loads(out.read_text())
    assert (facts["queries"], facts["localized"]) == (2, 1)
    lost = facts["frames"][1]
    assert not lost["localized"]
    assert lost["translation_error"] is None
    assert "cut short" in lost["reason"]
    assert max(facts["recall_of_extent"].values()) <= 50


def test_skipped_frames_are_counted_and_shown(reloc, made_map, place, seen):
    pose = np.eye(4)
    pose[0, 3] = np.nan
    np.savetxt(place / "test" / "poses" / "00000.txt", pose)
    run = reloc("eval", made_map, place)
    assert run.status == 0
    assert "note: 1 frames: skipped, for instance test/rgb/00000.jpg" in run.out


def test_a_scene_without_queries_is_refused(reloc, made_map, place):
    (place / "test").rename(place / "else")
    message = reloc("eval", made_map, place).refusal()
    assert str(place) in message
    assert "--query FILE" in message


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_an_output_below_a_file_is_refused(reloc, made_map, place, seen, tmp_path, option):
    (tmp_path / "file").write_text("whole")
    run = reloc("eval", made_map, place, "--query", seen, option, tmp_path / "file" / "out")
    assert str(tmp_path / "file" / "out") in run.refusal()
    assert (tmp_path / "file").read_text() == "whole"


def test_a_map_that_does_not_tell_its_time_can_be_judged(reloc, made_map, place, seen, tmp_path):
    odd = tmp_path / "odd.safetensors"
    replace(SceneMap.load(made_map), info={}).save(odd)
    out = tmp_path / "eval.json"
    run = reloc("eval", odd, place, "--query", seen, "--json", out)
    assert run.status == 0, run.err
    assert json.loads(out.read_text())["mapping_seconds"] is None
