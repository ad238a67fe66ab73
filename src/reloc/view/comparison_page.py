"""Several evaluations side by side as one HTML page that needs nothing else."""

from itertools import groupby

import numpy as np

from reloc.evaluation.comparison import Comparison
from reloc.evaluation.comparison_table import MARKS, comparison_rows
from reloc.evaluation.figures import degrees_text, length_text
from reloc.evaluation.metrics import FrameResult
from reloc.files import StrPath, write_text
from reloc.view.comparison_plots import paired_errors, winners_plan
from reloc.view.curves import error_curves
from reloc.view.page import rendered
from reloc.view.style import MAP_COLORS, plot_text, svg

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
    plan = winners_plan(comparison)
    figures = groupby(comparison_rows(comparison), key=lambda row: row.group)
    return rendered(
        "comparison.html",
        title=f"{scene or 'Evaluations'}: {len(comparison.labels)} maps compared",
        queries=comparison.evaluations[0].queries,
        notes=comparison.notes,
        labels=comparison.labels,
        colors=MAP_COLORS,
        figures=[(HEADINGS[group], list(rows)) for group, rows in figures],
        marks=MARKS,
        curves=svg(
            error_curves(comparison.evaluations, [plot_text(label) for label in comparison.labels]),
            title="cumulative error curves",
        ),
        pairs=svg(paired_errors(comparison), title="position errors of one map over the first"),
        plan=plan and svg(plan, title="the best map of each query, seen from above"),
        differences=_differences(comparison),
    )


def _differences(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Names of the frames whose position errors differ by the largest factor, and how each went."""
    errors = np.array([e.errors()[0] for e in comparison.evaluations])
    floor = np.maximum(errors, 1e-12)
    lost = np.isinf(floor)
    # A lost frame counts as worse than any other by a large factor, more maps that found it first.
    ratio = np.where(lost, 1e12, floor).max(axis=0) / np.where(lost, 1e12, floor).min(axis=0)
    order = np.argsort(-ratio, kind="stable")[:MOST_DIFFERENT]
    rows = []
    for index in order:
        frames = [e.frames[int(index)] for e in comparison.evaluations]
        rows.append((frames[0].image, [_outcome(frame, comparison) for frame in frames]))
    return rows


def _outcome(frame: FrameResult, comparison: Comparison) -> str:
    if not frame.localized:
        return "lost"
    position = length_text(frame.translation_error, comparison.evaluations[0])
    return f"{position}, {degrees_text(frame.rotation_error_deg)}"
