"""How well confidence and covariances are calibrated, on places that they were not fitted to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from calibration_fit import CHI_SQUARED, OTHER_POSE, Sample, fitted, load_samples, normalized_error
from calibration_plot import plot
from numpy.typing import NDArray

from reloc.files import write_text
from reloc.pose.trust import CONSTANTS, Constants, Judgement, judged

Array = NDArray[np.float64]

BINS = 10
_LOST = Judgement(0.0, None, 0.0)


@dataclass(frozen=True, eq=False)
class Judged:
    """A sample and what a model that was not fitted to its place says of it."""

    sample: Sample
    found: Judgement

    @property
    def believed(self) -> bool:
        """Whether it counts as localized."""
        return self.found.confidence >= 0.5


def judged_by(samples: Sequence[Sample], constants: Constants) -> list[Judged]:
    """What a model says of samples."""
    return [
        Judged(s, _LOST if s.evidence is None else judged(s.evidence, s.bound, constants))
        for s in samples
    ]


def held_out(samples: Sequence[Sample]) -> list[Judged]:
    """All samples, each group judged by the model of all others."""
    found: list[Judged] = []
    for group in sorted({s.group for s in samples}):
        own = [s for s in samples if s.group == group]
        found += judged_by(own, fitted([s for s in samples if s.group != group]))
    return found


def calibration_error(poses: Sequence[Judged]) -> float:
    """Expected calibration error over bins of equal width, as a share."""
    confidences, right = _arrays(poses)
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    off = [abs((confidences[bins == b] - right[bins == b]).sum()) for b in range(BINS)]
    return float(np.sum(off) / max(1, len(poses)))


def coverage(poses: Sequence[Judged]) -> dict[float, float]:
    """Share of believed poses that are no other ones whose error is in each ellipsoid.

    Empty where there are none.
    """
    errors = np.array(
        [
            normalized_error(p.sample, p.found.covariance)
            for p in poses
            if p.believed and p.sample.distance < OTHER_POSE
        ]
    )
    if not len(errors):
        return {}
    return {level: float((errors < limit).mean()) for level, limit in CHI_SQUARED.items()}


def report(out: Path) -> str:
    """Fits, judges, draws and tells; the report is written to a file, too."""
    samples = load_samples(out / "samples")
    poses = [p for p in held_out(samples) if p.sample.evidence is not None]
    shipped = [p for p in judged_by(samples, CONSTANTS) if p.sample.evidence is not None]
    own = [p for p in poses if p.sample.kind == "own"]
    lines = [
        f"{len(samples)} queries, {len(poses)} poses, {len({s.group for s in samples})} groups",
        "",
        *_table("places", poses, lambda p: p.sample.place),
        "",
        *_table("maps", poses, lambda p: p.sample.map),
        "",
        *_table("poses by", poses, _by),
        "",
        *_table("maps were measured", poses, _measured),
        "",
        *_table("constants", shipped, lambda p: "as shipped, not held out"),
        "",
        *_false_accepts(poses),
        "",
        "| confidence at least | share of own poses | off by more than the bound |",
        "|---|---:|---:|",
        *(_risk(own, limit) for limit in (0.5, 0.9, 0.95, 0.99)),
        "",
        f"fitted to all: {fitted(samples)}",
    ]
    text = "\n".join(lines) + "\n"
    write_text(out / "calibration.md", text)
    plot(
        *_arrays(poses),
        _arrays(own),
        {
            name: np.array([normalized_error(p.sample, p.found.covariance) for p in own if keep(p)])
            for name, keep in {
                "heads": lambda p: _true(p) and not p.sample.evidence.by_landmarks,
                "landmarks": lambda p: _true(p) and p.sample.evidence.by_landmarks,
            }.items()
        },
        out / "calibration.svg",
    )
    return text


def _true(pose: Judged) -> bool:
    return pose.believed and pose.sample.distance < OTHER_POSE


def _by(pose: Judged) -> str:
    assert pose.sample.evidence is not None
    return "landmarks" if pose.sample.evidence.by_landmarks else "heads"


def _measured(pose: Judged) -> str:
    assert pose.sample.evidence is not None
    return "no" if pose.sample.evidence.held_back is None else "on frames held back"


def _arrays(poses: Sequence[Judged]) -> tuple[Array, Array]:
    """Confidences (N,), and whether poses are within the bound (N,)."""
    return (
        np.array([p.found.confidence for p in poses], np.float64),
        np.array([p.sample.right for p in poses], np.float64),
    )


def _table(title: str, poses: Sequence[Judged], name: Callable[[Judged], str]) -> list[str]:
    """Figures of the poses of each name, and of all."""
    lines = [
        f"| {title} | own | within the bound | of these believed | believed, off by more | "
        "of other places believed | calibration error | in the ellipsoid of 50, 90, 99 % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = sorted({name(p) for p in poses})
    for key in [*names, *(["all"] if len(names) > 1 else [])]:
        some = [p for p in poses if key in ("all", name(p))]
        own = [p for p in some if p.sample.kind == "own"]
        foreign = [p for p in some if p.sample.kind != "own"]
        right = [p for p in own if p.sample.right]
        inside = coverage(own)
        lines.append(
            f"| {key} | {len(own)} | {_percent(len(right), len(own))} | "
            f"{_percent(sum(p.believed for p in right), len(right))} | "
            f"{_percent(sum(p.believed and not p.sample.right for p in own), len(own))} | "
            f"{sum(p.believed for p in foreign)} of {len(foreign)} | "
            f"{100 * calibration_error(some):.1f} % | "
            f"{', '.join(f'{100 * inside[p]:.0f}' for p in CHI_SQUARED) if inside else '–'} |"
        )
    return lines


def _false_accepts(poses: Sequence[Judged]) -> list[str]:
    lines = [
        "| images | poses | believed | the highest confidence |",
        "|---|---:|---:|---:|",
    ]
    for kind in sorted({p.sample.kind for p in poses} - {"own"}):
        some = [p for p in poses if p.sample.kind == kind]
        highest = max(p.found.confidence for p in some)
        lines.append(f"| {kind} | {len(some)} | {sum(p.believed for p in some)} | {highest:.3f} |")
    return lines


def _risk(own: Sequence[Judged], limit: float) -> str:
    sure = [p for p in own if p.found.confidence >= limit]
    wrong = sum(not p.sample.right for p in sure)
    return f"| {limit:g} | {_percent(len(sure), len(own))} | {wrong} of {len(sure)} |"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
