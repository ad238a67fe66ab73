"""An evaluation as one HTML page that needs nothing else: no network, no folder of images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.errors import OptionError
from reloc.evaluate.figures import (
    Figure,
    degrees_text,
    figures,
    frame_outcome,
    length_text,
    seconds_text,
)
from reloc.evaluate.metrics import Evaluation, FrameResult
from reloc.files import StrPath, write_text
from reloc.scenes.scene import Frame
from reloc.view.curves import error_curves
from reloc.view.failures import failure_map
from reloc.view.page import card, embedded, html_notes, html_page, html_text
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
    rows = figures(evaluation)
    times = stage_times(evaluation)
    body = [
        f"<h1>{html_text(title)}</h1>",
        f'<p class="sub">{evaluation.queries} query images; '
        "a frame that was not localized counts as a miss everywhere</p>",
        _tiles(rows),
        html_notes(evaluation.notes),
        "<h2>Errors</h2>",
        card(svg(error_curves([evaluation]), title="cumulative error curves")),
        '<p class="hint">Dotted: the thresholds of the recall below. '
        "Frames that were lost keep a curve below 100 %.</p>",
        "<h2>From above</h2>",
        card(svg(top_view(evaluation, mapping, up=up), title="positions seen from above")),
        *_failures(evaluation, mapping, up),
        "<h2>Recall</h2>",
        card(_recall_table(rows)),
    ]
    if times is not None:
        body += ["<h2>Time by stage</h2>", card(svg(times, title="median time by stage"))]
        body.append('<p class="hint">Medians over the queries.</p>')
    if worst:
        by_name = {frame.image: frame for frame in evaluation.frames}
        body.append("<h2>Worst frames</h2>")
        body += [_worst(w, by_name.get(w.image), evaluation) for w in worst]
    body += ["<h2>All frames</h2>", _frame_table(evaluation)]
    return html_page(title, "\n".join(body))


def _failures(evaluation: Evaluation, mapping: Sequence[Frame], up: ArrayLike | None) -> list[str]:
    figure = failure_map(evaluation, mapping, up=up)
    if figure is None:
        return []
    return [
        "<h2>Where queries fail</h2>",
        card(svg(figure, title="failures over the plan and by direction of view")),
        '<p class="hint">A square is as large as it holds queries, up to a dozen; both lie as the '
        "view from above.</p>",
    ]


def _tiles(rows: Sequence[Figure]) -> str:
    """The headline: accuracy and cost, and the one recall that is most often compared."""
    headline = next(
        (f for f in rows if f.label == "5 cm, 5°"), next(f for f in rows if f.group == "recall")
    )
    shown = [f for f in rows if f.group == "accuracy"]
    shown.append(Figure("recall", f"within {headline.label}", headline.text))
    shown += [f for f in rows if f.group == "cost"]
    tiles = [
        f'<div class="tile"><b>{html_text(f.text)}</b><span>{html_text(f.label)}</span></div>'
        for f in shown
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _recall_table(rows: Sequence[Figure]) -> str:
    shown = [f for f in rows if f.group == "recall"]
    head = "".join(f"<th>{html_text(f.label)}</th>" for f in shown)
    cells = "".join(f"<td>{html_text(f.text)}</td>" for f in shown)
    return f"<table><thead><tr>{head}</tr></thead><tbody><tr>{cells}</tr></tbody></table>"


def _frame_table(evaluation: Evaluation) -> str:
    heads = (
        '<th class="text"><button>image</button></th>'
        + "".join(
            f"<th><button>{head}</button></th>"
            for head in ("position error", "rotation error", "inliers", "confidence", "time")
        )
        + '<th class="text"><button>remark</button></th>'
    )
    rows = "\n".join(_frame_row(frame, evaluation) for frame in evaluation.frames)
    return (
        f'<div class="card frames"><table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _frame_row(frame: FrameResult, evaluation: Evaluation) -> str:
    def cell(value: float | None, text: str) -> str:
        key = "-1" if value is None else str(value).replace("inf", "Infinity")
        return f'<td data-sort="{key}">{html_text(text)}</td>'

    def name(text: str) -> str:
        return f'<td class="text" data-sort="{html_text(text)}">{html_text(text)}</td>'

    confidence = frame.confidence if math.isfinite(frame.confidence) else 0.0
    remark = f"not localized: {frame.reason}" if not frame.localized else ""
    cells = [
        name(frame.image),
        cell(frame.translation_error, length_text(frame.translation_error, evaluation)),
        cell(frame.rotation_error_deg, degrees_text(frame.rotation_error_deg)),
        cell(frame.inliers, str(frame.inliers)),
        cell(confidence, f"{confidence:.2f}"),
        cell(frame.seconds, seconds_text(frame.seconds)),
        name(remark),
    ]
    kind = "found" if frame.localized else "lost"
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _worst(worst: WorstFrame, frame: FrameResult | None, evaluation: Evaluation) -> str:
    if frame is None:
        raise OptionError(f"{worst.image}: no such frame in the evaluation; show one of its own")
    caption = f"{html_text(worst.image)} <span>{html_text(frame_outcome(frame, evaluation))}</span>"
    seen = '<div class="none">no pose to look from</div>'
    if worst.rendering is not None:
        seen = embedded(worst.rendering, "what the map sees from the estimated pose")
    return (
        f'<figure class="card"><figcaption>{caption}</figcaption>'
        f'<div class="pair">{embedded(worst.photo, "the photo")}{seen}</div></figure>'
    )
