"""Evaluations read back from the JSON that ``write_evaluation`` writes."""

from pathlib import Path
from typing import Any

import numpy as np

from reloc.errors import EvaluationError
from reloc.evaluation.metrics import Array, Evaluation, FrameResult
from reloc.files import StrPath
from reloc.geometry import pose_problem
from reloc.untrusted import parsed_json

MAX_BYTES = 256 * 1024 * 1024
MAX_FIGURE = 1e15  # larger than any error, count, size or time


def read_evaluation(path: StrPath) -> Evaluation:
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
        return _evaluation(parsed_json(path.read_text(encoding="utf-8")))
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError,
        MemoryError,
    ) as error:  # fmt: skip
        raise EvaluationError(
            f"{path}: is not what `reloc eval --json` writes ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:80]}); run it again"
        ) from error


def _evaluation(data: dict[str, Any]) -> Evaluation:
    frames = tuple(_frame(frame) for frame in data["frames"])
    if len({frame.image for frame in frames}) < len(frames):
        raise ValueError("two frames share a name")
    return Evaluation(
        scene_name=str(data["scene_name"]),
        map_name=str(data["map_name"]),
        unit="metre" if data["unit"] == "metre" else "unknown",
        queries=len(frames),
        localized=sum(frame.localized for frame in frames),
        map_bytes=int(_figure(data["map_bytes"])),
        mapping_seconds=_number(data["mapping_seconds"]),
        scene_extent=_finite(data["scene_extent"], np.nan),
        median_translation=_finite(data["median_translation"], np.inf),
        median_rotation_deg=_finite(data["median_rotation_deg"], np.inf),
        recall={str(key): _figure(value) for key, value in data["recall"].items()},
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
        inliers=int(_figure(data["inliers"])),
        # Older files have none.
        landmark_inliers=int(_figure(data.get("landmark_inliers", 0))),
        landmarks_alone=bool(data.get("landmarks_alone", False)),
        confidence=_finite(data["confidence"], 0.0),
        certainty=_finite(data.get("certainty"), 0.0),
        reason=None if reason is None else str(reason),
        world_from_cam=estimate,
        true_world_from_cam=truth,
    )


def _pose(value: Any) -> Array | None:
    if value is None:
        return None
    pose = np.asarray(value, dtype=np.float64)
    if problem := pose_problem(pose):
        raise ValueError(problem)
    if np.abs(pose).max() > MAX_FIGURE:
        raise ValueError("a camera stands impossibly far away")
    return pose


def _figure(value: Any) -> float:
    """All figures count or measure: none is negative. Raises ValueError, TypeError."""
    number = float(value)
    if not 0 <= number <= MAX_FIGURE:
        raise ValueError(f"{number:g} is no figure of an evaluation")
    return number


def _number(value: Any) -> float | None:
    return None if value is None else _figure(value)


def _finite(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else _figure(value)
