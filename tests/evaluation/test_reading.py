"""Figures that were written come back; anything else is refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import EvaluationError
from reloc.evaluation import evaluate, read_evaluation, write_evaluation
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Figures of a frame that was found, one that was lost, and one without a true pose."""
    off = np.eye(4)
    off[0, 3] = 0.25
    frames = [Frame(name, Path("x"), CAMERA, np.eye(4)) for name in ("found", "lost")]
    frames.append(Frame("unknown", Path("x"), CAMERA, None))
    estimates = [
        Estimate("found", True, off, inliers=7, confidence=0.9, seconds={"pose": 0.5}),
        Estimate("lost", False, None, reason="too dark"),
        Estimate("unknown", True, np.eye(4)),
    ]
    evaluation = evaluate(
        estimates, frames, scene_extent=2.0, map_bytes=4000, mapping_seconds=None, unit="metre",
        scene_name="hall", map_name="hall.safetensors",
    )  # fmt: skip
    path = tmp_path / "eval.json"
    write_evaluation(path, evaluation)
    return path


def test_what_was_written_comes_back(written: Path, tmp_path: Path) -> None:
    evaluation = read_evaluation(written)
    write_evaluation(tmp_path / "again.json", evaluation)
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()
    found, lost, unknown = evaluation.frames
    assert found.translation_error == pytest.approx(0.25)
    assert found.world_from_cam is not None
    assert found.world_from_cam[0, 3] == pytest.approx(0.25)
    assert lost.translation_error == np.inf
    assert (lost.reason, lost.world_from_cam) == ("too dark", None)
    assert unknown.translation_error is None
    assert evaluation.median_translation == np.inf


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frames", None),
        ("frames", [{"image": "a"}]),
        ("recall", 5),
        ("map_bytes", "many"),
        ("notes", None),
        ("map_bytes", 10**400),
        ("mapping_seconds", -1),
        ("scene_extent", 1e300),
        ("recall", {"5cm_5deg": 10**400}),
    ],
)
def test_what_is_no_evaluation_is_refused(written: Path, key: str, value: object) -> None:
    data = json.loads(written.read_text())
    data[key] = value
    written.write_text(json.dumps(data))
    with pytest.raises(EvaluationError, match=r"eval\.json: is not what .* run it again"):
        read_evaluation(written)


def test_a_pose_that_is_none_is_refused(written: Path) -> None:
    data = json.loads(written.read_text())
    data["frames"][0]["world_from_cam"][0] = [5, 0, 0, 0]
    written.write_text(json.dumps(data))
    with pytest.raises(EvaluationError, match="no rotation"):
        read_evaluation(written)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"inliers": 7', '"inliers": 1e999'),
        ('"inliers": 7', f'"inliers": {"7" * 400}'),
        ('"inliers": 7', f'"inliers": {"7" * 5000}'),
        ('"inliers": 7', '"inliers": 7, "inliers": 8'),
        ('"image": "lost"', '"image": "found"'),
        ('"confidence": 0.9', '"confidence": NaN'),
        ('"translation_error": 0.25', '"translation_error": -1'),
    ],
)
def test_numbers_and_keys_that_make_no_sense_are_refused(written: Path, old: str, new: str) -> None:
    text = written.read_text()
    assert old in text
    written.write_text(text.replace(old, new))
    with pytest.raises(EvaluationError, match=r"eval\.json: is not what .* run it again"):
        read_evaluation(written)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", "[" * 100_000])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "eval.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(EvaluationError, match=r"eval\.json"):
        read_evaluation(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no such file"):
        read_evaluation(tmp_path / "eval.json")
