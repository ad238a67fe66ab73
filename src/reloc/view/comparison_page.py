"""Several evaluations side by side as one HTML page that needs nothing else."""

from collections.abc import Sequence

import numpy as np

from reloc.evaluate.comparison import Comparison
from reloc.evaluate.comparison_table import MARKS, Row, comparison_rows
from reloc.evaluate.figures import degrees_text, length_text
from reloc.evaluate.metrics import FrameResult
from reloc.files import StrPath, write_text
from reloc.view.comparison_plots import paired_errors, winners_plan
from reloc.view.curves import error_curves
from reloc.view.page import card, html_notes, html_page, html_text
from reloc.view.style import MAP_COLOURS, plot_text, svg

MOST_DIFFERENT = 20

HEADINGS = {
    "accuracy": "Accuracy",
    "recall": "Recall",
    "frames": "Frame against frame, by position",
    "cost": "Size and time",
}


def write_comparison_page(path: StrPath, comparison: Comparison) -> None:
    """Writes the page of a comparison.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, comparison_html(comparison))


def comparison_html(comparison: Comparison) -> str:
    """The page of a comparison as text."""
    scene = comparison.evaluations[0].scene_name
    title = f"{scene or 'Evaluations'}: {len(comparison.labels)} maps compared"
    labels = [plot_text(label) for label in comparison.labels]
    rows = list(comparison_rows(comparison))
    body = [
        f"<h1>{html_text(title)}</h1>",
        f'<p class="sub">{comparison.evaluations[0].queries} query images; '
        f"all maps are held against the first, {html_text(comparison.labels[0])}</p>",
        html_notes(comparison.notes),
        "<h2>Figures</h2>",
        card(_table(comparison.labels, rows)),
        '<p class="hint">In brackets: the interval of 95 % confidence, from the number of frames. '
        "▲ better, ▼ worse than the first beyond what chance explains; without a mark, the frames "
        "cannot tell.</p>",
        "<h2>Errors</h2>",
        card(svg(error_curves(comparison.evaluations, labels), title="cumulative error curves")),
        "<h2>Frame against frame</h2>",
        card(svg(paired_errors(comparison), title="position errors of one map over the first")),
        '<p class="hint">A dot is a frame. Below the line the map named on the left is nearer to '
        "the truth than the first; dots along the far edges were lost.</p>",
    ]
    plan = winners_plan(comparison)
    if plan is not None:
        body += [
            "<h2>Who is nearer where</h2>",
            card(svg(plan, title="the best map of each query, seen from above")),
        ]
    body += ["<h2>Where they differ most</h2>", _differences(comparison)]
    return html_page(title, "\n".join(body))


def _table(labels: Sequence[str], rows: Sequence[Row]) -> str:
    head = "".join(
        f'<th><i class="dot" style="background:{colour}"></i>{html_text(label)}</th>'
        for label, colour in zip(labels, MAP_COLOURS, strict=False)
    )
    body, group = [], ""
    for row in rows:
        if row.group != group:
            group = row.group
            heading = HEADINGS[group]
            empty = "<td></td>" * len(labels)
            body.append(f'<tr class="group"><th class="text">{heading}</th>{empty}</tr>')
        cells = "".join(
            f'<td class="{("same", "better", "worse")[verdict]}">'
            f"{html_text(text)} <span>{MARKS[verdict]}</span></td>"
            for text, verdict in zip(row.texts, row.verdicts, strict=True)
        )
        body.append(f'<tr><td class="text">{html_text(row.label)}</td>{cells}</tr>')
    return (
        f'<table class="compared"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _differences(comparison: Comparison) -> str:
    """The frames whose position errors differ by the largest factor."""
    errors = np.array([e.errors()[0] for e in comparison.evaluations])
    floor = np.maximum(errors, 1e-12)
    lost = np.isinf(floor)
    # A lost frame counts as worse than any other by a large factor, more maps that found it first.
    ratio = np.where(lost, 1e12, floor).max(axis=0) / np.where(lost, 1e12, floor).min(axis=0)
    order = np.argsort(-ratio, kind="stable")[:MOST_DIFFERENT]
    head = "".join(f"<th>{html_text(label)}</th>" for label in comparison.labels)
    rows = []
    for index in order:
        frames = [e.frames[int(index)] for e in comparison.evaluations]
        cells = "".join(f"<td>{html_text(_outcome(f, comparison))}</td>" for f in frames)
        rows.append(f'<tr><td class="text">{html_text(frames[0].image)}</td>{cells}</tr>')
    return card(
        f'<table><thead><tr><th class="text">image</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _outcome(frame: FrameResult, comparison: Comparison) -> str:
    if not frame.localized:
        return "lost"
    position = length_text(frame.translation_error, comparison.evaluations[0])
    return f"{position}, {degrees_text(frame.rotation_error_deg)}"
