"""An evaluation as one HTML page that needs nothing else: no network, no folder of images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.errors import OptionError
from reloc.evaluation.figures import (
    Figure,
    degrees_text,
    figures,
    frame_outcome,
    length_text,
    seconds_text,
)
from reloc.evaluation.metrics import Evaluation, FrameResult
from reloc.files import StrPath, write_text
from reloc.scenes.scene import Frame
from reloc.view.curves import error_curves
from reloc.view.failures import failure_map
from reloc.view.page import jpeg_address, rendered
from reloc.view.plots import stage_times, top_view
from reloc.view.style import svg


@dataclass(frozen=True)
class WorstFrame:
    """A frame that went badly, and what there is to see of it.

    Attributes:
        image: name of the frame, as in the evaluation.
        photo: (H, W, 3) uint8 RGB.
        rendering: (H, W, 3) uint8 RGB: the map seen from the estimated pose; None if there is none.
    """

    image: str
    photo: NDArray[np.uint8]
    rendering: NDArray[np.uint8] | None


@dataclass(frozen=True)
class _Photos:
    """A worst frame as the template takes it: pictures are addresses for an ``<img>``."""

    image: str
    outcome: str
    photo: str
    rendering: str | None


@dataclass(frozen=True)
class _Cell:
    """A figure of a frame: what the script of the page sorts by, a number, and what is read."""

    key: str
    text: str


@dataclass(frozen=True)
class _Row:
    """A frame in the table of all; ``kind`` is its class, ``found`` or ``lost``."""

    kind: str
    image: str
    cells: Sequence[_Cell]
    remark: str


def write_report(
    path: StrPath,
    evaluation: Evaluation,
    *,
    mapping: Sequence[Frame],
    worst: Sequence[WorstFrame] = (),
    up: ArrayLike | None = None,
) -> None:
    """Writes the page of an evaluation.

    Args:
        path: the HTML file.
        evaluation: the figures.
        mapping: the mapping frames, whose cameras are drawn in the view from above.
        worst: frames to show with their photo, in this order; see ``evaluate.worst_frames``.
        up: (3,) direction against gravity in the world, if known.

    Raises:
        OptionError: a worst frame is none of the evaluation's.
        OutputError: the file cannot be written.
    """
    write_text(path, report_html(evaluation, mapping=mapping, worst=worst, up=up))


def report_html(
    evaluation: Evaluation,
    *,
    mapping: Sequence[Frame],
    worst: Sequence[WorstFrame] = (),
    up: ArrayLike | None = None,
) -> str:
    """The page of an evaluation as text; arguments and errors as ``write_report``."""
    title = " · ".join(filter(None, [evaluation.scene_name, evaluation.map_name])) or "Evaluation"
    shown = figures(evaluation)
    photos = [_photos(frame, evaluation) for frame in worst]
    failures = failure_map(evaluation, mapping, up=up)
    times = stage_times(evaluation)
    return rendered(
        "report.html",
        title=title,
        evaluation=evaluation,
        tiles=_tiles(shown),
        curves=svg(error_curves([evaluation]), title="cumulative error curves"),
        positions=svg(top_view(evaluation, mapping, up=up), title="positions seen from above"),
        failures=failures
        and svg(failures, title="failures over the plan and by direction of view"),
        recall=[figure for figure in shown if figure.group == "recall"],
        times=times and svg(times, title="median time by stage"),
        worst=photos,
        rows=[_row(frame, evaluation) for frame in evaluation.frames],
    )


def _tiles(rows: Sequence[Figure]) -> list[Figure]:
    """The headline: accuracy and cost, and the one recall that is most often compared."""
    headline = next(
        (f for f in rows if f.label == "5 cm, 5°"), next(f for f in rows if f.group == "recall")
    )
    return [
        *(f for f in rows if f.group == "accuracy"),
        Figure("recall", f"within {headline.label}", headline.text),
        *(f for f in rows if f.group == "cost"),
    ]


def _photos(worst: WorstFrame, evaluation: Evaluation) -> _Photos:
    frame = next((f for f in evaluation.frames if f.image == worst.image), None)
    if frame is None:
        raise OptionError(f"{worst.image}: no such frame in the evaluation; show one of its own")
    rendering = None if worst.rendering is None else jpeg_address(worst.rendering)
    outcome = frame_outcome(frame, evaluation)
    return _Photos(worst.image, outcome, jpeg_address(worst.photo), rendering)


def _row(frame: FrameResult, evaluation: Evaluation) -> _Row:
    confidence = frame.confidence if math.isfinite(frame.confidence) else 0.0
    cells = (
        _cell(frame.translation_error, length_text(frame.translation_error, evaluation)),
        _cell(frame.rotation_error_deg, degrees_text(frame.rotation_error_deg)),
        _cell(None, "–") if frame.landmarks_alone else _cell(frame.inliers, str(frame.inliers)),
        _cell(frame.landmark_inliers, str(frame.landmark_inliers)),
        _cell(confidence, f"{confidence:.2f}"),
        _cell(frame.seconds, seconds_text(frame.seconds)),
    )
    kind = "found" if frame.localized else "lost"
    remark = "" if frame.localized else f"not localized: {frame.reason}"
    return _Row(kind, frame.image, cells, remark)


def _cell(value: float | None, text: str) -> _Cell:
    return _Cell("-1" if value is None else str(value).replace("inf", "Infinity"), text)
