"""Comparisons: what is chance and what is not, and evaluations that do not belong together."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloc.errors import EvaluationError
from reloc.evaluation.comparison import compare, wins
from reloc.evaluation.comparison_table import comparison_rows, comparison_table
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.geometry import Camera, pose_from, rotation_from_vector
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
LABELS = ("a", "b")


def evaluation(errors: list[float | None] | np.ndarray, **options: Any) -> Evaluation:
    """Frames that are off by so many metres, and ten times as many degrees; None is lost."""
    frames = [
        Frame(f"{i}.jpg", Path("x"), CAMERA, pose_from(np.eye(3), (i, 0, 0)))
        for i in range(len(errors))
    ]
    estimates = [
        Estimate(f.name, False, None)
        if e is None
        else Estimate(
            f.name, True,
            pose_from(rotation_from_vector((0, 0, np.radians(10 * e))), (i, e, 0)),
        )
        for i, (f, e) in enumerate(zip(frames, errors, strict=True))
    ]  # fmt: skip
    made = evaluate(
        estimates, frames, scene_extent=2.0, map_bytes=4_000_000, mapping_seconds=60.0, unit="metre"
    )
    return replace(made, **options)


def verdicts(*evaluations: Evaluation) -> dict[str, int]:
    labels = [str(i) for i in range(len(evaluations))]
    return {m.label: m.verdicts[1] for m in compare(evaluations, labels).measures}


def test_a_real_difference_is_told_and_which_way() -> None:
    errors = np.random.default_rng(0).uniform(0.02, 0.1, 60)
    good, bad = evaluation(errors / 3), evaluation(errors)
    told = verdicts(bad, good)
    assert (told["median position"], told["median rotation"], told["5 cm, 5°"]) == (1, 1, 1)
    told = verdicts(good, bad)
    assert (told["median position"], told["median rotation"], told["5 cm, 5°"]) == (-1, -1, -1)
    assert told["25 cm, 2°"] == 0


def test_noise_is_seldom_taken_for_progress() -> None:
    rng = np.random.default_rng(1)
    wrong = [
        any(verdicts(*(evaluation(rng.uniform(0.01, 0.1, 30)) for _ in range(2))).values())
        for _ in range(20)
    ]
    # Seven figures of two independent draws, each wrong once in twenty times and all alike.
    assert sum(wrong) <= 6


def test_a_difference_that_is_the_same_in_all_frames_is_found_in_a_few() -> None:
    hard = np.geomspace(0.01, 10, 20)
    assert verdicts(evaluation(hard), evaluation(hard * 0.8))["median position"] == 1


def test_ten_frames_that_are_all_right_are_no_certainty() -> None:
    comparison = compare([evaluation([0.001] * 10), evaluation([0.001] * 9 + [None])], LABELS)
    recall = next(m for m in comparison.measures if m.label == "5 cm, 5°")
    assert (recall.intervals[0].value, recall.intervals[0].high) == (100, 100)
    # Wilson's interval for 10 of 10.
    assert recall.intervals[0].low == pytest.approx(72.2, abs=0.1)
    assert recall.verdicts == (0, 0)


def test_intervals_hold_the_value_and_shrink_with_frames() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for count in (20, 500):
        one = evaluation(rng.uniform(0.01, 0.1, count))
        for measure in compare([one, one], LABELS).measures:
            for i in measure.intervals:
                assert i.low <= i.value <= i.high
        median = compare([one, one], LABELS).measures[0].intervals[0]
        widths.append(median.high - median.low)
    assert widths[1] < 0.5 * widths[0]


def test_lost_frames() -> None:
    lost = evaluation([None] * 8)
    assert set(verdicts(lost, lost).values()) == {0}
    told = verdicts(lost, evaluation([0.001] * 8))
    assert told["median position"] == 1
    assert told["5 cm, 5°"] == 1
    rows = {row.label: row.texts for row in comparison_rows(compare([lost, lost], LABELS))}
    assert rows["localized"] == ("0 of 8", "0 of 8")
    assert rows["median position"][0].startswith("–")


def test_who_wins_frame_by_frame() -> None:
    one = evaluation([0.1, 0.1, 0.1, None, None])
    other = evaluation([0.01, 0.2, 0.101, 0.1, None])
    assert wins(compare([one, other], LABELS), 1) == (2, 1, 2)


def test_only_common_frames_count() -> None:
    long, short = evaluation([0.01] * 5 + [9.0] * 5), evaluation([0.01] * 5)
    comparison = compare([long, short], LABELS)
    assert [e.queries for e in comparison.evaluations] == [5, 5]
    assert comparison.measures[0].intervals[0].value == pytest.approx(0.01)
    assert comparison.notes == ("compared on the 5 frames that all have, of up to 10",)


def test_other_truths_scenes_and_extents_are_remarked() -> None:
    one = evaluation([0.1] * 3, scene_name="hall")
    moved = [replace(f, true_world_from_cam=pose_from(np.eye(3), (0, 9, 0))) for f in one.frames]
    other = replace(one, scene_name="yard", scene_extent=3.0, frames=tuple(moved))
    notes = " ".join(compare([one, other], LABELS).notes)
    assert "3 of 3 frames have other true poses" in notes
    assert "hall, yard" in notes
    assert "extent are of that of a" in notes


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "1 evaluations to compare"),
        ([evaluation([0.1])] * 8, "9 evaluations to compare"),
        ([evaluation([0.1], unit="unknown")], "b: its unit is unknown, that of a is metre"),
        ([evaluation([0.1], frames=())], "a and b: no frame with a true pose"),
    ],
)
def test_what_cannot_be_compared_is_refused(others: list[Evaluation], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        compare([evaluation([0.1]), *others], list("abcdefghi")[: 1 + len(others)])


def test_a_frame_that_stands_twice_is_refused() -> None:
    one = evaluation([0.1, 0.2])
    twice = replace(one, frames=one.frames * 2)
    with pytest.raises(EvaluationError, match="b: a frame stands in it twice"):
        compare([one, twice], LABELS)


@pytest.mark.slow
def test_thousands_of_frames() -> None:
    one = evaluation([0.1] * 3000)
    other = replace(
        one, frames=tuple(replace(f, translation_error=0.01, rotation_error_deg=0.1)
                          for f in one.frames),
    )  # fmt: skip
    assert verdicts(one, other)["5 cm, 5°"] == 1


def test_names_are_not_read_as_markup() -> None:
    one = evaluation([0.1], scene_name="[red]x[/]")
    table = comparison_table(compare([one, one], ("[bold]", "[/nothing]")))
    assert [str(column.header) for column in table.columns] == ["", "[bold]", "[/nothing]"]
