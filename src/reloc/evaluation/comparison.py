"""Several maps on the same frames, with how sure the differences between them are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.errors import EvaluationError
from reloc.evaluation.figures import degrees_text, length_text, percent_text, threshold_text
from reloc.evaluation.metrics import THRESHOLDS, THRESHOLDS_OF_EXTENT, Evaluation, FrameResult

Array = NDArray[np.float64]

RESAMPLES = 1000
SURE = 0.95
Z = 1.96  # deviations of a normal distribution that hold 95 %
MAX_MAPS = 8
_VALUES_AT_ONCE = 4_000_000
_SAME_POSE = 1e-6


@dataclass(frozen=True)
class Interval:
    """A figure and where it would likely lie for other frames of the same kind.

    Attributes:
        value: over all frames.
        low: lower end of its interval of 95 % confidence.
        high: its upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measure:
    """One figure of all maps.

    Attributes:
        label: its name.
        group: ``accuracy`` or ``recall``, as of ``figures.Figure``.
        text: a value of it with its unit.
        intervals: of each map.
        verdicts: of each map against the first: 1 better, -1 worse, 0 where the frames cannot tell;
            0 for the first.
    """

    label: str
    group: str
    text: Callable[[float], str]
    intervals: tuple[Interval, ...]
    verdicts: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """Evaluations side by side, over the frames that all of them have.

    Attributes:
        labels: what each evaluation is called.
        evaluations: with the common frames alone, in one order, and one extent.
        measures: the figures, with intervals.
        notes: one-line remarks.
    """

    labels: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]


def compare(
    evaluations: Sequence[Evaluation], labels: Sequence[str], *, seed: int = 0
) -> Comparison:
    """Compares evaluations of the same queries; the first is what the others are held against.

    Intervals and verdicts of medians come from resampling the frames with replacement (Efron's
    percentile bootstrap), the same draw for all maps, so that what makes a frame hard for all of
    them cancels. Shares have Wilson's interval, and verdicts by McNemar's exact test. Frames of a
    video resemble their neighbours: intervals are then narrower than they should be.

    Args:
        evaluations: at least two.
        labels: a different name for each.
        seed: of the resampling.

    Raises:
        EvaluationError: too few or too many, different units, or no frame in common.
    """
    if not 2 <= len(evaluations) <= MAX_MAPS:
        raise EvaluationError(
            f"{len(evaluations)} evaluations to compare; give two to {MAX_MAPS} of one scene"
        )
    first = evaluations[0]
    for label, other in zip(labels, evaluations, strict=True):
        if other.unit != first.unit:
            raise EvaluationError(
                f"{label}: its unit is {other.unit}, that of {labels[0]} is {first.unit}; "
                "compare evaluations of one scene with the same poses"
            )
    same, notes = _common(evaluations, labels)
    errors = np.array([e.errors() for e in same])  # (maps, 2, N)
    measures = [
        _median("median position", lambda v: length_text(v, same[0]), errors[:, 0], seed),
        _median("median rotation", degrees_text, errors[:, 1], seed),
    ]
    measures += [
        _share(threshold_text(key), (errors[:, 0] <= distance) & (errors[:, 1] <= degrees))
        for key, (distance, degrees) in _limits(same[0]).items()
    ]
    return Comparison(tuple(labels), same, tuple(measures), notes)


def wins(comparison: Comparison, index: int) -> tuple[int, int, int]:
    """Frames on which a map is nearer to the truth than the first, less near, and neither.

    Positions count; less than a tenth of difference is neither, as are frames that both lost.
    """
    base, other = (comparison.evaluations[i].errors()[0] for i in (0, index))
    better, worse = other < 0.9 * base, base < 0.9 * other
    return int(better.sum()), int(worse.sum()), int((~better & ~worse).sum())


def _common(
    evaluations: Sequence[Evaluation], labels: Sequence[str]
) -> tuple[tuple[Evaluation, ...], tuple[str, ...]]:
    """The evaluations with the frames that all have and whose pose all know; remarks on the rest.

    Raises:
        EvaluationError: there is no such frame, or a name stands twice in an evaluation.
    """
    known = []
    for label, evaluation in zip(labels, evaluations, strict=True):
        frames = {f.image: f for f in evaluation.frames if f.translation_error is not None}
        if len({f.image for f in evaluation.frames}) < len(evaluation.frames):
            raise EvaluationError(f"{label}: a frame stands in it twice; evaluate the map again")
        known.append(frames)
    names = [name for name in known[0] if all(name in frames for frames in known)]
    if not names:
        raise EvaluationError(
            f"{labels[0]} and {labels[1]}: no frame with a true pose is in all of them; compare "
            "evaluations of the same queries"
        )
    notes = []
    most = max(len(frames) for frames in known)
    if len(names) < most:
        notes.append(f"compared on the {len(names)} frames that all have, of up to {most}")
    scenes = sorted({e.scene_name for e in evaluations})
    if len(scenes) > 1:
        notes.append(f"the scenes have different names: {', '.join(scenes)}")
    moved = sum(_moved(name, known) for name in names)
    if moved:
        notes.append(
            f"{moved} of {len(names)} frames have other true poses in some evaluations: "
            "their errors are measured against different truths"
        )
    extents = [e.scene_extent for e in evaluations]
    if not np.allclose(extents, extents[0], rtol=1e-3, equal_nan=True):
        notes.append(f"shares of the extent are of that of {labels[0]}; other maps have another")
    same = tuple(
        replace(
            e, frames=tuple(frames[n] for n in names), scene_extent=extents[0], queries=len(names),
            localized=sum(frames[n].localized for n in names),
        )
        for e, frames in zip(evaluations, known, strict=True)
    )  # fmt: skip
    return same, tuple(notes)


def _moved(name: str, known: Sequence[dict[str, FrameResult]]) -> bool:
    truths = [frames[name].true_world_from_cam for frames in known]
    poses = [pose for pose in truths if pose is not None]
    return any(not np.allclose(pose, poses[0], rtol=_SAME_POSE, atol=_SAME_POSE) for pose in poses)


def _limits(evaluation: Evaluation) -> dict[str, tuple[float, float]]:
    """The thresholds that mean something here, in scene units and degrees."""
    limits = dict(THRESHOLDS) if evaluation.unit == "metre" else {}
    extent = evaluation.scene_extent
    if np.isfinite(extent) and extent > 0:
        limits |= {
            key: (share * extent, degrees) for key, (share, degrees) in THRESHOLDS_OF_EXTENT.items()
        }
    return limits


def _median(label: str, text: Callable[[float], str], errors: Array, seed: int) -> Measure:
    """Medians of errors (maps, N), with the percentile bootstrap."""
    maps, count = errors.shape
    rng = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, maps))
    at_once = max(1, _VALUES_AT_ONCE // errors.size)
    for start in range(0, RESAMPLES, at_once):
        rows = drawn[start : start + at_once]
        picks = rng.integers(0, count, (len(rows), count))
        rows[:] = np.median(errors[:, picks], axis=2).T
    verdicts = [0]
    for other in range(1, maps):
        with np.errstate(invalid="ignore"):
            gain = drawn[:, 0] - drawn[:, other]
        # Both infinite: both maps lost most frames, and nothing tells them apart.
        gain[np.isnan(gain)] = 0.0
        low, high = _ends(gain)
        verdicts.append(1 if low > 0 else -1 if high < 0 else 0)
    intervals = tuple(
        Interval(float(np.median(errors[m])), *_ends(drawn[:, m])) for m in range(maps)
    )
    return Measure(label, "accuracy", text, intervals, tuple(verdicts))


def _share(label: str, within: NDArray[np.bool_]) -> Measure:
    """Percent of frames within a threshold (maps, N), with Wilson's interval.

    Resampling ten frames that are all right never draws a wrong one; these statistics know better.
    """
    count = within.shape[1]
    intervals = tuple(_wilson(int(row.sum()), count) for row in within)
    verdicts = [_sign(int((row & ~within[0]).sum()), int((within[0] & ~row).sum()))
                for row in within]  # fmt: skip
    return Measure(label, "recall", percent_text, intervals, tuple(verdicts))


def _wilson(hits: int, count: int) -> Interval:
    """Wilson's score interval of a share, in percent."""
    share, z2 = hits / count, Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    # Rounding must not put a share of all or nothing outside of its own interval.
    low, high = max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
    return Interval(100 * share, 100 * low, 100 * high)


def _sign(better: int, worse: int) -> int:
    """Which way frames changed beyond chance: McNemar's exact test, two-sided."""
    changed = better + worse
    tail = sum(math.comb(changed, k) for k in range(max(better, worse), changed + 1))
    # In whole numbers: with thousands of frames 2**changed is no float.
    if 2 * tail * 20 >= 2**changed:
        return 0
    return 1 if better > worse else -1


def _ends(drawn: Array) -> tuple[float, float]:
    """Ends of the interval that holds ``SURE`` of the values, which may be infinite."""
    ordered = np.sort(drawn)
    low = int((1 - SURE) / 2 * len(ordered))
    return float(ordered[low]), float(ordered[-1 - low])
