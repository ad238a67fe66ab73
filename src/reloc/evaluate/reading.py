"""Evaluations read back from the JSON that ``write_evaluation`` writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from reloc.errors import EvaluationError
from reloc.evaluate.metrics import Array, Evaluation, FrameResult
from reloc.geometry import pose_problem

MAX_BYTES = 256 * 1024 * 1024


def read_evaluation(path: Path) -> Evaluation:
    """The figures of an evaluation, errors that JSON cannot hold as infinity again.

    Times of single frames are not in the file; they are zero here.

    Raises:
        EvaluationError: no such file, too large, or not what ``write_evaluation`` writes.
    """
    path = Path(path)
    if not path.is_file():
        raise EvaluationError(f"{path}: no such file; `reloc eval --json FILE` writes one")
    if path.stat().st_size > MAX_BYTES:
        raise EvaluationError(f"{path}: over {MAX_BYTES >> 20} MiB, too large to be figures")
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_strict)
        return _evaluation(data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: is not what `reloc eval --json` writes ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:80]}); run it again"
        ) from error


def _not_strict(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _evaluation(data: dict[str, Any]) -> Evaluation:
    frames = tuple(_frame(frame) for frame in data["frames"])
    return Evaluation(
        scene_name=str(data["scene_name"]),
        map_name=str(data["map_name"]),
        unit="metre" if data["unit"] == "metre" else "unknown",
        queries=len(frames),
        localized=sum(frame.localized for frame in frames),
        map_bytes=int(data["map_bytes"]),
        mapping_seconds=_number(data["mapping_seconds"]),
        scene_extent=_finite(data["scene_extent"], np.nan),
        median_translation=_finite(data["median_translation"], np.inf),
        median_rotation_deg=_finite(data["median_rotation_deg"], np.inf),
        recall={str(key): float(value) for key, value in data["recall"].items()},
        recall_of_extent={str(k): _number(v) for k, v in data["recall_of_extent"].items()},
        seconds_per_query={
            "median": None,
            **{str(k): _number(v) for k, v in data["seconds_per_query"].items()},
        },
        frames=frames,
        notes=tuple(str(note) for note in data["notes"]),
    )


def _frame(data: dict[str, Any]) -> FrameResult:
    estimate, truth = _pose(data["world_from_cam"]), _pose(data["true_world_from_cam"])
    # Null is both the error of a lost frame and that of one whose pose nobody knows.
    unknown = None if truth is None else np.inf
    reason = data["reason"]
    return FrameResult(
        image=str(data["image"]),
        localized=bool(data["localized"]),
        translation_error=_finite(data["translation_error"], unknown),
        rotation_error_deg=_finite(data["rotation_error_deg"], unknown),
        inliers=int(data["inliers"]),
        confidence=_finite(data["confidence"], 0.0),
        reason=None if reason is None else str(reason),
        world_from_cam=estimate,
        true_world_from_cam=truth,
    )


def _pose(value: Any) -> Array | None:
    if value is None:
        return None
    if problem := pose_problem(value):
        raise ValueError(problem)
    return np.asarray(value, dtype=np.float64)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _finite(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else float(value)
