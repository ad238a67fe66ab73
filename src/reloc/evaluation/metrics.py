"""How good estimates are: the field's figures, with every lost frame counted as a miss.

Translation errors are in scene units, rotation errors in degrees, recall in percent. A frame whose
pose is not known cannot be right or wrong: it takes no part in errors and recall.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reloc.errors import SceneError
from reloc.files import StrPath, json_text, write_text
from reloc.geometry import pose_error, pose_problem
from reloc.localize.estimate import Estimate
from reloc.localize.pairing import paired
from reloc.scenes.scene import Frame

Array = NDArray[np.float64]

# Name -> (translation, degrees). Translation is in scene units, and a share of the extent below.
THRESHOLDS: Mapping[str, tuple[float, float]] = {
    "1cm_1deg": (0.01, 1.0),
    "2cm_2deg": (0.02, 2.0),
    "5cm_5deg": (0.05, 5.0),
    "10cm_5deg": (0.10, 5.0),
    "25cm_2deg": (0.25, 2.0),
}
THRESHOLDS_OF_EXTENT: Mapping[str, tuple[float, float]] = {
    "0.1%_0.1deg": (0.001, 0.1),
    "1%_2deg": (0.01, 2.0),
    "3%_5deg": (0.03, 5.0),
}


@dataclass(frozen=True)
class FrameResult:
    """One query frame, compared with its true pose.

    Attributes:
        image: name of the frame.
        localized: whether there is a pose to be trusted.
        translation_error: distance of the camera centres in scene units; infinite if the frame was
            not localized, None if its true pose is not known.
        rotation_error_deg: angle between the rotations; infinite and None likewise.
        inliers: scene coordinates that agree with the pose.
        landmark_inliers: landmarks that agree with it, where they decided it.
        landmarks_alone: heads were not asked.
        confidence: probability that the pose is within the bound, see ``Estimate``.
        certainty: probability that it is the right one, however exact.
        seconds: wall time of the localization.
        reason: why the frame was not localized, else None.
        world_from_cam: (4, 4) estimated pose, None if the frame was not localized.
        true_world_from_cam: (4, 4) true pose, None if not known.
    """

    image: str
    localized: bool
    translation_error: float | None
    rotation_error_deg: float | None
    inliers: int = 0
    landmark_inliers: int = 0
    landmarks_alone: bool = False
    confidence: float = 0.0
    certainty: float = 0.0
    seconds: float = 0.0
    reason: str | None = None
    world_from_cam: Array | None = None
    true_world_from_cam: Array | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures of one map on one set of query frames.

    Attributes:
        scene_name: the scene.
        map_name: the map.
        unit: ``meter`` where scene units are metres.
        queries: number of query frames.
        localized: how many of them were localized.
        map_bytes: size of the map.
        mapping_seconds: wall time of mapping, None if not known.
        scene_extent: largest side of the bounding box of the mapping camera centres.
        median_translation: over all frames with a true pose, lost ones as infinite.
        median_rotation_deg: likewise.
        recall: percent of frames within each of ``THRESHOLDS``.
        recall_of_extent: percent within each of ``THRESHOLDS_OF_EXTENT``; None without an extent.
        seconds_per_query: ``median`` of the whole, and the median of each stage by its name; None
            if no time was taken.
        frames: every query frame, in the order of the scene.
        notes: one-line remarks that belong beside the figures.
    """

    scene_name: str
    map_name: str
    unit: Literal["metre", "unknown"]
    queries: int
    localized: int
    map_bytes: int
    mapping_seconds: float | None
    scene_extent: float
    median_translation: float
    median_rotation_deg: float
    recall: Mapping[str, float]
    recall_of_extent: Mapping[str, float | None]
    seconds_per_query: Mapping[str, float | None]
    frames: tuple[FrameResult, ...]
    notes: tuple[str, ...] = ()

    def errors(self) -> tuple[Array, Array]:
        """Translation (N,) and rotation (N,) errors of the frames with a true pose; lost: inf."""
        return frame_errors(self.frames)

    def as_dict(self) -> dict[str, Any]:
        """The figures as the JSON holds them."""
        fields = (
            *("scene_name", "map_name", "unit", "queries", "localized", "map_bytes"),
            *("mapping_seconds", "scene_extent", "median_translation", "median_rotation_deg"),
        )
        of_frame = (
            *("image", "localized", "translation_error", "rotation_error_deg", "inliers"),
            *("landmark_inliers", "landmarks_alone", "confidence", "certainty", "reason"),
            *("world_from_cam", "true_world_from_cam"),
        )
        return {
            **{name: getattr(self, name) for name in fields},
            "recall": dict(self.recall),
            "recall_of_extent": dict(self.recall_of_extent),
            "seconds_per_query": dict(self.seconds_per_query),
            "notes": list(self.notes),
            "frames": [{name: getattr(f, name) for name in of_frame} for f in self.frames],
        }


def frame_errors(frames: Sequence[FrameResult]) -> tuple[Array, Array]:
    """Translation (N,) and rotation (N,) errors of the frames with a true pose; lost: inf."""
    compared = [f for f in frames if f.translation_error is not None]
    return (
        np.array([f.translation_error for f in compared], dtype=np.float64),
        np.array([f.rotation_error_deg for f in compared], dtype=np.float64),
    )


def median_errors(frames: Sequence[FrameResult]) -> tuple[float, float]:
    """Median translation and rotation error; of an even number the mean of the middle two.

    Args:
        frames: of which one at least has a true pose; lost ones count as infinitely far off.
    """
    translation, rotation = frame_errors(frames)
    return float(np.median(translation)), float(np.median(rotation))


def percent_within(frames: Sequence[FrameResult], distance: float, degrees: float) -> float:
    """Percent of the frames with a true pose that are within a limit in scene units and degrees."""
    translation, rotation = frame_errors(frames)
    return 100.0 * float(((translation <= distance) & (rotation <= degrees)).mean())


def evaluate(
    estimates: Sequence[Estimate],
    frames: Sequence[Frame],
    *,
    scene_extent: float,
    map_bytes: int,
    mapping_seconds: float | None,
    unit: Literal["metre", "unknown"] = "unknown",
    scene_name: str = "",
    map_name: str = "",
) -> Evaluation:
    """Compares estimates with the true poses of the frames, paired by name.

    A frame without an estimate counts as lost, as does one whose pose is no rigid pose.

    Args:
        estimates: answers of the localizer, in any order.
        frames: the query frames.
        scene_extent: ``Scene.extent()`` of the scene that was mapped.
        map_bytes: size of the map.
        mapping_seconds: wall time of mapping, None if not known.
        unit: ``Scene.unit``.
        scene_name: for the reader of the figures.
        map_name: for the reader of the figures.

    Raises:
        SceneError: there are no frames, or none of them has a true pose.
        OptionError: estimates and frames do not belong together (see ``paired``).
    """
    scene = scene_name or "the scene"
    if not frames:
        raise SceneError(f"{scene}: no query frames to evaluate; name some or split some off")
    pairs = paired(estimates, frames)
    results = tuple(_result(frame, estimate) for frame, estimate in pairs)
    compared = len(frame_errors(results)[0])
    if not compared:
        raise SceneError(
            f"{scene}: none of the {len(frames)} query frames has a pose to compare with; "
            "evaluate needs true poses"
        )
    has_extent = np.isfinite(scene_extent) and scene_extent > 0
    notes = []
    if unknown := len(results) - compared:
        notes.append(
            f"{unknown} of {len(results)} query frames have no true pose: left out of the errors"
        )
    if missing := sum(estimate is None for _, estimate in pairs):
        notes.append(f"{missing} of {len(results)} query frames have no estimate: counted as lost")
    if not has_extent:
        notes.append("the mapping cameras all stand in one place: no errors relative to the extent")
    median_translation, median_rotation_deg = median_errors(results)
    return Evaluation(
        scene_name=scene_name,
        map_name=map_name,
        unit=unit,
        queries=len(results),
        localized=sum(r.localized for r in results),
        map_bytes=map_bytes,
        mapping_seconds=mapping_seconds,
        scene_extent=scene_extent,
        median_translation=median_translation,
        median_rotation_deg=median_rotation_deg,
        recall={key: percent_within(results, *limits) for key, limits in THRESHOLDS.items()},
        recall_of_extent={
            key: percent_within(results, share * scene_extent, degrees) if has_extent else None
            for key, (share, degrees) in THRESHOLDS_OF_EXTENT.items()
        },
        seconds_per_query=_seconds(estimates),
        frames=results,
        notes=tuple(notes),
    )


def write_evaluation(path: StrPath, evaluation: Evaluation) -> None:
    """Writes the figures as strict JSON, infinite errors as null.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json_text(evaluation.as_dict()) + "\n")


def worst_frames(evaluation: Evaluation, count: int) -> tuple[FrameResult, ...]:
    """The ``count`` frames with the largest errors, worst first.

    Lost frames take at most half of the places while there are localized ones to show: both kinds
    of failure teach something. Errors are measured in units of 5 cm (3 % of the extent where there
    are no metres) and 5 degrees, whichever is worse.
    """
    metric = evaluation.unit == "metre"
    distance = 0.05 if metric else 0.03 * evaluation.scene_extent

    def severity(frame: FrameResult) -> float:
        translation, rotation = frame.translation_error or 0.0, frame.rotation_error_deg or 0.0
        return max(translation / distance if distance > 0 else 0.0, rotation / 5.0)

    lost = [f for f in evaluation.frames if not f.localized]
    found = [f for f in evaluation.frames if f.localized and f.translation_error is not None]
    found.sort(key=severity, reverse=True)
    places = min(len(lost), max(count - len(found), count // 2))
    return tuple(lost[:places] + found[: count - places])


def _result(frame: Frame, estimate: Estimate | None) -> FrameResult:
    if estimate is None:
        estimate = Estimate(frame.name, False, None, reason="there is no estimate for this frame")
    pose = estimate.world_from_cam if estimate.localized else None
    reason = estimate.reason or "there is no pose"
    if pose is not None and (problem := pose_problem(pose)):
        pose, reason = None, problem
    truth = frame.world_from_cam
    errors: tuple[float | None, float | None] = (None, None)
    if truth is not None:
        errors = (np.inf, np.inf) if pose is None else pose_error(pose, truth)
    return FrameResult(
        image=frame.name,
        localized=pose is not None,
        translation_error=errors[0],
        rotation_error_deg=errors[1],
        inliers=estimate.inliers,
        landmark_inliers=estimate.landmark_inliers,
        landmarks_alone=estimate.landmarks_alone,
        confidence=estimate.confidence,
        certainty=estimate.certainty,
        seconds=estimate.total_seconds,
        reason=reason if pose is None else None,
        world_from_cam=pose,
        true_world_from_cam=truth,
    )


def _seconds(estimates: Sequence[Estimate]) -> dict[str, float | None]:
    """Medians; a stage that a query did without took it no time."""
    timed = [e for e in estimates if e.seconds]
    stages = dict.fromkeys(stage for e in timed for stage in e.seconds)
    total = float(np.median([e.total_seconds for e in timed])) if timed else None
    return {
        "median": total,
        **{s: float(np.median([e.seconds.get(s, 0.0) for e in timed])) for s in stages},
    }
