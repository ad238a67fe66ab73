"""Figures computed by hand, lost frames as misses, and JSON that any parser reads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloc.errors import OptionError, SceneError
from reloc.evaluation.metrics import Evaluation, evaluate, worst_frames, write_evaluation
from reloc.geometry import Camera, pose_from, rotation_from_vector
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=640, height=480, fx=500)


def frame(name: str, pose: np.ndarray | None) -> Frame:
    return Frame(name, Path(name), CAMERA, pose)


def pose(x: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    return pose_from(rotation_from_vector((0, np.radians(degrees), 0)), (x, 0, 0))


def found(name: str, x: float, degrees: float, **fields: Any) -> Estimate:
    return Estimate(name, True, pose(x, degrees), inliers=100, confidence=0.9, **fields)


def lost(name: str, **fields: Any) -> Estimate:
    return Estimate(name, False, None, reason="too few inliers", **fields)


def measured(estimates: list[Estimate], frames: list[Frame], **options: Any) -> Evaluation:
    defaults = {"scene_extent": 2.0, "map_bytes": 4_200_000, "mapping_seconds": 60.0}
    return evaluate(estimates, frames, **{**defaults, **options})


FRAMES = [frame(name, pose()) for name in "abcde"]
# One frame just within each step of the thresholds, and one that is lost.
ESTIMATES = [
    found("a", 0.009, 0.9),
    found("b", 0.015, 1.5),
    found("c", 0.04, 4.0),
    found("d", 0.2, 1.0),
    lost("e"),
]


def test_recall_by_hand() -> None:
    result = measured(ESTIMATES, FRAMES)
    assert result.queries == 5
    assert result.localized == 4
    assert result.recall == {
        "1cm_1deg": pytest.approx(20),
        "2cm_2deg": pytest.approx(40),
        "5cm_5deg": pytest.approx(60),
        "10cm_5deg": pytest.approx(60),
        "25cm_2deg": pytest.approx(60),
    }
    # The extent is 2: one percent is 2 cm, three percent are 6 cm.
    assert result.recall_of_extent == {
        "0.1%_0.1deg": pytest.approx(0),
        "1%_2deg": pytest.approx(40),
        "3%_5deg": pytest.approx(60),
    }


def test_medians_count_lost_frames_as_infinite() -> None:
    result = measured(ESTIMATES, FRAMES)
    # Without the lost frame the medians would be 0.0275 and 1.25.
    assert result.median_translation == pytest.approx(0.04)
    assert result.median_rotation_deg == pytest.approx(1.5)
    half = measured([found("a", 0.1, 1.0), lost("b")], FRAMES[:2])
    assert half.median_translation == np.inf


def test_a_pose_that_is_not_trusted_is_a_miss() -> None:
    rejected = replace(found("a", 0.0, 0.0), localized=False)
    result = measured([rejected], FRAMES[:1])
    assert result.localized == 0
    assert set(result.recall.values()) == {0.0}
    assert result.frames[0].translation_error == np.inf
    assert result.frames[0].world_from_cam is None


@pytest.mark.parametrize("broken", [np.full((4, 4), np.nan), np.eye(4) * 2, None])
def test_localized_with_an_impossible_pose_is_a_miss(broken: np.ndarray | None) -> None:
    result = measured([Estimate("a", True, broken)], FRAMES[:1])
    assert result.localized == 0
    assert result.recall["25cm_2deg"] == 0.0
    assert result.frames[0].reason


def test_pairs_by_name_not_by_order() -> None:
    frames = [frame("a", pose(0.0)), frame("b", pose(5.0)), frame("c", pose(9.0))]
    estimates = [found("c", 9.0, 0), found("a", 0.0, 0), found("b", 5.0, 0)]
    result = measured(estimates, frames)
    assert result.recall["1cm_1deg"] == 100.0
    assert [f.image for f in result.frames] == ["a", "b", "c"]


def test_frame_without_estimate_is_a_miss_with_a_note() -> None:
    result = measured(ESTIMATES[:1], FRAMES[:2])
    assert result.recall["1cm_1deg"] == 50.0
    assert result.localized == 1
    assert any("1 of 2" in note and "no estimate" in note for note in result.notes)


def test_frames_without_truth_are_left_out_with_a_note() -> None:
    frames = [FRAMES[0], frame("b", None)]
    result = measured([found("a", 0.0, 0), found("b", 3.0, 0)], frames)
    assert result.recall["1cm_1deg"] == 100.0
    assert result.queries == result.localized == 2
    assert result.frames[1].translation_error is None
    assert any("1 of 2" in note and "no true pose" in note for note in result.notes)


def test_all_lost() -> None:
    result = measured([lost(f.name) for f in FRAMES], FRAMES)
    assert result.localized == 0
    assert set(result.recall.values()) | set(result.recall_of_extent.values()) == {0.0}
    assert result.median_translation == np.inf


def test_no_extent_means_no_figure_relative_to_it() -> None:
    result = measured(ESTIMATES, FRAMES, scene_extent=0.0)
    assert result.recall_of_extent == {
        "0.1%_0.1deg": None,
        "1%_2deg": None,
        "3%_5deg": None,
    }
    assert any("extent" in note for note in result.notes)


def test_median_seconds_in_all_and_by_stage() -> None:
    estimates = [
        found("a", 0, 0, seconds={"read": 0.1, "pose": 0.4}),
        found("b", 0, 0, seconds={"read": 0.2, "pose": 0.1}),
        lost("c", seconds={"read": 0.3}),
    ]
    times = measured(estimates, FRAMES[:3]).seconds_per_query
    assert times == {
        "median": pytest.approx(0.3),
        "read": pytest.approx(0.2),
        "pose": pytest.approx(0.1),  # which one did without
    }
    assert measured([lost("a")], FRAMES[:1]).seconds_per_query == {"median": None}


@pytest.mark.parametrize(
    ("estimates", "frames", "error", "words"),
    [
        ([], [], SceneError, "no query frames"),
        ([found("a", 0, 0)], [frame("a", None)], SceneError, "none of the 1 query frames"),
        ([found("x", 0, 0)], FRAMES, OptionError, "x: an estimate"),
        ([found("a", 0, 0)] * 2, FRAMES, OptionError, "a: two estimates"),
        ([found("a", 0, 0)], FRAMES[:1] * 2, OptionError, "two frames share a name"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    estimates: list[Estimate], frames: list[Frame], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        measured(estimates, frames)


def test_json_is_strict_and_complete(tmp_path: Path) -> None:
    estimates = [lost("a"), lost("b"), found("c", 0.04, 4.0), replace(lost("d"), confidence=np.nan)]
    write_evaluation(tmp_path / "e.json", measured(estimates, FRAMES[:4]))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "e.json").read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=refuse)
    assert {
        *("queries", "localized", "map_bytes", "mapping_seconds", "scene_extent", "frames"),
        *("median_translation", "median_rotation_deg", "recall", "recall_of_extent"),
        "seconds_per_query",
    } <= set(data)
    assert data["median_translation"] is None
    assert data["recall"]["5cm_5deg"] == 25.0
    assert set(data["recall_of_extent"]) == {"0.1%_0.1deg", "1%_2deg", "3%_5deg"}
    assert data["frames"][0]["translation_error"] is None
    assert data["frames"][0]["rotation_error_deg"] is None
    assert data["frames"][2]["translation_error"] == pytest.approx(0.04)
    assert data["frames"][2]["rotation_error_deg"] == pytest.approx(4.0)
    assert {"image", "localized", "inliers", "confidence"} <= set(data["frames"][2])
    assert data["frames"][0]["world_from_cam"] is None
    assert data["frames"][2]["world_from_cam"][0][3] == pytest.approx(0.04)
    assert data["frames"][2]["true_world_from_cam"][3] == [0, 0, 0, 1]


def test_worst_frames_show_both_kinds_of_failure() -> None:
    frames = [frame(str(i), pose()) for i in range(8)]
    estimates = [lost(str(i)) for i in range(4)] + [
        found("4", 0.01, 0.1),
        found("5", 0.3, 0.1),
        found("6", 0.01, 60.0),
        found("7", 0.02, 0.1),
    ]
    result = measured(estimates, frames, unit="metre")
    names = [f.image for f in worst_frames(result, 4)]
    # 60 degrees are twelve times the limit of 5, 30 cm are six times the one of 5 cm.
    assert names == ["0", "1", "6", "5"]
    assert len(worst_frames(result, 100)) == 8
    assert worst_frames(result, 0) == ()
