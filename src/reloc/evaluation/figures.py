"""The figures that the field reports, as text with units: what table and page both show."""

import math
from dataclasses import dataclass

from reloc.evaluation.metrics import Evaluation, FrameResult


@dataclass(frozen=True)
class Figure:
    """One figure as a reader sees it.

    Attributes:
        group: what it belongs to, for headings: ``accuracy``, ``recall`` or ``cost``.
        label: its name.
        text: its value with the unit, a dash where there is none.
    """

    group: str
    label: str
    text: str


def figures(evaluation: Evaluation, *, centimetres: bool | None = None) -> tuple[Figure, ...]:
    """All figures of an evaluation, the most telling first.

    Args:
        evaluation: what to show.
        centimetres: whether recall at centimetres is listed; by default where units are metres.
    """
    metric = evaluation.unit == "metre"
    centimetres = metric if centimetres is None else centimetres
    rows = [
        Figure("accuracy", "localized", f"{evaluation.localized} of {evaluation.queries}"),
        Figure(
            "accuracy", "median position", length_text(evaluation.median_translation, evaluation)
        ),
        Figure("accuracy", "median rotation", degrees_text(evaluation.median_rotation_deg)),
    ]
    for key, value in evaluation.recall.items() if centimetres else ():
        # Centimetres mean nothing where nobody knows the length of the unit.
        rows.append(Figure("recall", threshold_text(key), percent_text(value if metric else None)))
    for key, share in evaluation.recall_of_extent.items():
        rows.append(Figure("recall", threshold_text(key), percent_text(share)))
    rows += [
        Figure("cost", "map size", bytes_text(evaluation.map_bytes)),
        Figure("cost", "mapping time", seconds_text(evaluation.mapping_seconds)),
        Figure("cost", "time per query", seconds_text(evaluation.seconds_per_query["median"])),
    ]
    return tuple(rows)


def length_scale(evaluation: Evaluation) -> tuple[float, str]:
    """What to multiply translation errors with, and the unit they are then in.

    Centimetres for metric scenes; percent of the extent for others, where there is one.
    """
    if evaluation.unit == "metre":
        return 100.0, "cm"
    if evaluation.scene_extent > 0 and math.isfinite(evaluation.scene_extent):
        return 100.0 / evaluation.scene_extent, "% of extent"
    return 1.0, "scene units"


def error_ticks(evaluation: Evaluation) -> tuple[float, ...]:
    """Ends and marks of a scale of colours for translation errors, in ``length_scale``'s unit.

    They are the same for every scene, so that the colours of two pictures can be compared.
    """
    ticks = {"cm": (1.0, 2.0, 5.0, 10.0, 25.0, 50.0), "% of extent": (0.1, 0.3, 1.0, 3.0, 10.0)}
    return ticks.get(length_scale(evaluation)[1], (0.01, 0.1, 1.0))


def length_text(error: float | None, evaluation: Evaluation) -> str:
    """A translation error with its unit, a dash where there is none."""
    if error is None or not math.isfinite(error):
        return "–"
    scale, unit = length_scale(evaluation)
    return f"{_digits(error * scale)} {unit}"


def degrees_text(error: float | None) -> str:
    """A rotation error with its unit, a dash where there is none."""
    return "–" if error is None or not math.isfinite(error) else f"{_digits(error)}°"


def threshold_text(key: str) -> str:
    """``5cm_5deg`` as ``5 cm, 5°``; ``1%_2deg`` as ``1 % of extent, 2°``."""
    text = key.replace("cm_", " cm, ").replace("%_", " % of extent, ")
    return text.replace("deg", "°")


def percent_text(value: float | None) -> str:
    """A share in percent with one decimal, a dash for None."""
    return "–" if value is None else f"{value:.1f} %"


def bytes_text(count: int) -> str:
    """A size in decimal units, as file managers and papers give it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def seconds_text(seconds: float | None) -> str:
    """A duration: milliseconds below a second, minutes from two minutes on."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 120 else f"{seconds / 60:.1f} min"


def frame_outcome(frame: FrameResult, evaluation: Evaluation) -> str:
    """One line on how a frame went: its errors, or why there are none."""
    if not frame.localized:
        return f"not localized: {frame.reason}"
    if frame.translation_error is None:
        return "localized; its true pose is not known"
    position = length_text(frame.translation_error, evaluation)
    landmarks = landmarks_text(frame)
    return f"off by {position}, {degrees_text(frame.rotation_error_deg)}" + (
        f"; {landmarks} agree" if landmarks else ""
    )


def landmarks_text(frame: FrameResult) -> str:
    """How many landmarks agree with the pose of a frame; empty where none decided it."""
    return f"{frame.landmark_inliers} landmarks" if frame.landmark_inliers else ""


def _digits(value: float) -> str:
    """Three significant digits below 1000, without exponents."""
    if value == 0:
        return "0"
    decimals = min(6, max(0, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:.{decimals}f}"
