"""The solvers' benchmark runs and tells the truth of both."""

from collections.abc import Callable
from types import ModuleType

import pytest


def test_both_solvers_are_in_the_table(
    script: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = script("pose_solvers")
    benchmark.run(benchmark.Options(images=2, cells=300, hypotheses=16, repeats=1))
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("| ") and "cpu" in line]
    assert [row.split(" | ")[0] for row in rows] == [
        "| PoseLib, 2 calls",
        "| batched, 16 hypotheses",
    ]
    for row in rows:
        worst = float(row.split("|")[5].strip().removesuffix(" mm"))
        assert 0 < worst < 20
