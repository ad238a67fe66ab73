"""What an interrupted benchmark keeps, which scenes it finds, and what its table says."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.evaluation.metrics import evaluate
from reloc.localize.estimate import Estimate
from reloc.scenes import Scene


@pytest.fixture
def accuracy(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("accuracy")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Two ACE scenes of two mapping frames and one query each; the second one lacks queries."""
    for name, splits in (("attic", ("train", "test")), ("barn", ("train",))):
        for split in splits:
            for number in range(2 if split == "train" else 1):
                folder = tmp_path / "scenes" / name / split
                for kind in ("rgb", "poses", "calibration"):
                    (folder / kind).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / "rgb" / f"{number}.png"), np.zeros((24, 32, 3), np.uint8))
                pose = np.eye(4)
                pose[0, 3] = 2.0 * number
                np.savetxt(folder / "poses" / f"{number}.txt", pose)
                (folder / "calibration" / f"{number}.txt").write_text("30")
    return tmp_path / "scenes"


class Measured:
    """Stands in for the reference: an estimate 4 cm off, and a count of the calls."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, scene: Scene, *, progress: Any) -> Any:
        self.names.append(scene.name)
        pose = np.eye(4)
        pose[0, 3] = 0.04
        estimates = [Estimate(f.name, True, pose, seconds={"pose": 0.5}) for f in scene.queries]
        return evaluate(
            estimates,
            scene.queries,
            scene_extent=scene.extent(),
            map_bytes=4_000_000,
            mapping_seconds=60.0,
            unit=scene.unit,
            scene_name=scene.name,
        )


def test_finished_rows_are_kept_and_not_measured_again(
    accuracy: ModuleType,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = Measured()
    monkeypatch.setattr(accuracy, "measured_by_reference", measured)
    options = accuracy.Options(
        scenes=scenes, seconds=(), reference=True, out=tmp_path / "out", only=("attic", "barn")
    )
    # One scene fails; the row of the other is there all the same.
    assert accuracy.run(options) == 2
    assert measured.names == ["attic", "barn"]
    table = (tmp_path / "out" / "accuracy.md").read_text()
    assert (
        "| attic | feature matching | 60 s | 4.0 MB | 2.000 % | 4.00 | 0.000 | 0 % | 100 % "
        in table
    )
    printed = capsys.readouterr()
    assert table in printed.out
    assert "no query frames" in printed.err
    assert accuracy.run(options) == 2
    assert measured.names == ["attic", "barn", "barn"]


def test_rows_of_another_backbone_are_replaced(accuracy: ModuleType, tmp_path: Path) -> None:
    results = accuracy.Results(tmp_path)
    row = {
        "scene": "attic", "method": "reloc 60 s", "seed": 0, "backbone": "old", "unit": "metre",
        "extent": 2.0, "mapping_seconds": 60.0, "map_bytes": 4_000_000,
        "median_percent_of_extent": 1.0, "median_cm": 2.0, "median_deg": 0.5, "2cm_2deg": 80.0,
        "5cm_5deg": 90.0, "0.1%_0.1deg": 10.0,
        "1%_2deg": 80.0, "3%_5deg": 100.0, "seconds_per_query": 0.1, "machine": "cpu",
    }  # fmt: skip
    key = {"scene": "attic", "method": "reloc 60 s", "seed": 0, "backbone": "new"}
    results.add(row)
    assert not accuracy.Results(tmp_path).has(key)
    results.add(row | {"backbone": "new"})
    assert accuracy.Results(tmp_path).has(key)
    assert len(results.rows) == 1
    # One of two seeds lost its median query: the middle between that and a number is no number.
    results.add(row | {"seed": 1, "median_cm": np.inf, "median_deg": np.inf})
    assert "median of 2 seeds) | 60 s | 4.0 MB | 1.000 % | lost | lost |" in results.table()


def test_damaged_results_are_not_overwritten(accuracy: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text('{"rows"')
    with pytest.raises(OptionError, match="move it away"):
        accuracy.Results(tmp_path)


def test_named_scenes(accuracy: ModuleType, scenes: Path) -> None:
    (scenes / "redkitchen").mkdir()
    assert accuracy.scene_names(scenes) == ["attic", "barn", "redkitchen", "redkitchen-kf"]
    assert accuracy.source_of("redkitchen-kf").poses is None
    scaled = accuracy.source_of("redkitchen-x0.01")
    assert (scaled.folder, str(scaled.poses), scaled.scale) == ("redkitchen", "poses_sfm.txt", 0.01)
    assert accuracy.opened("attic-x100", scenes).extent() == pytest.approx(200.0)
