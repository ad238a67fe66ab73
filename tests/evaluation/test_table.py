"""The terminal table: what it says, for whom, and names that look like markup."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from rich.console import Console

from reloc.errors import OptionError
from reloc.evaluation.figures import bytes_text, degrees_text, length_text, seconds_text
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.evaluation.table import evaluation_table
from reloc.geometry import Camera, pose_from
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame


def evaluation(
    unit: Literal["metre", "unknown"] = "metre", *, x: float = 0.03, name: str = "one.reloc"
) -> Evaluation:
    camera = Camera.pinhole(width=64, height=48, fx=50)
    estimate = Estimate("a", True, pose_from(np.eye(3), (x, 0, 0)), seconds={"pose": 0.25})
    return evaluate(
        [estimate],
        [Frame("a", Path("a"), camera, np.eye(4))],
        scene_extent=1.0,
        map_bytes=4_200_000,
        mapping_seconds=300.0,
        unit=unit,
        map_name=name,
    )


def shown(*evaluations: Evaluation) -> str:
    written = io.StringIO()
    Console(file=written, width=120).print(evaluation_table(evaluations))
    return written.getvalue()


def row(text: str, label: str) -> list[str]:
    line = next(line for line in text.splitlines() if f" {label} " in line)
    return [cell.strip() for cell in line.split("│")[2:-1]]


def test_metric_scene_in_centimetres() -> None:
    text = shown(evaluation())
    assert row(text, "median position") == ["3.00 cm"]
    assert row(text, "2 cm, 2°") == ["0.0 %"]
    assert row(text, "5 cm, 5°") == ["100.0 %"]
    assert row(text, "3 % of extent, 5°") == ["100.0 %"]
    assert row(text, "map size") == ["4.2 MB"]
    assert row(text, "mapping time") == ["5.0 min"]
    assert row(text, "time per query") == ["250 ms"]


def test_scene_without_meters_in_percent_of_extent() -> None:
    text = shown(evaluation("unknown"))
    assert row(text, "median position") == ["3.00 % of extent"]
    assert " cm" not in text


def test_maps_side_by_side() -> None:
    text = shown(evaluation(), evaluation("unknown", name="two.reloc"))
    assert "one.reloc" in text
    assert "two.reloc" in text
    assert row(text, "5 cm, 5°") == ["100.0 %", "–"]
    assert row(text, "3 % of extent, 5°") == ["100.0 %", "100.0 %"]


def test_names_are_not_read_as_markup() -> None:
    assert "[red]x[/nothing].reloc" in shown(evaluation(name="[red]x[/nothing].reloc"))


def test_nothing_to_show() -> None:
    with pytest.raises(OptionError, match="no evaluation"):
        evaluation_table([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bytes_text(999), "999 B"),
        (bytes_text(304_000_000), "304.0 MB"),
        (bytes_text(1_500_000_000), "1.5 GB"),
        (seconds_text(0.0123), "12 ms"),
        (seconds_text(59.94), "59.9 s"),
        (seconds_text(3 * 3600 + 120), "3 h 2 min"),
        (seconds_text(None), "–"),
        (degrees_text(0.0234), "0.0234°"),
        (degrees_text(123.4), "123°"),
        (degrees_text(0.0), "0°"),
        (degrees_text(np.inf), "–"),
        (length_text(0.0083, evaluation()), "0.830 cm"),
        (length_text(None, evaluation()), "–"),
    ],
)
def test_numbers_as_text(text: str, expected: str) -> None:
    assert text == expected
