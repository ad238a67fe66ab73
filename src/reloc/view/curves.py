"""Error curves: what share of the queries comes within an error."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from reloc.evaluation.figures import degrees_text, length_scale, length_text
from reloc.evaluation.metrics import THRESHOLDS, THRESHOLDS_OF_EXTENT, Evaluation
from reloc.view.style import BLUE, INK, MAP_COLORS, ORANGE, ink_text, new_figure, plain_axes

Array = NDArray[np.float64]

WIDTH = 9.4  # inches


def error_curves(evaluations: Sequence[Evaluation], labels: Sequence[str] = ("",)) -> Figure:
    """Share of the queries within an error, for translation and rotation, on log axes.

    Lost frames never come within any error, so the curves end below 100 %. A single evaluation
    has its medians written beside its curves, several have a legend.

    Args:
        evaluations: of one scene.
        labels: what they are called.
    """
    first, alone = evaluations[0], len(evaluations) == 1
    figure = new_figure(WIDTH, 3.2 if alone else 3.6)
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.08})
    scale, unit = length_scale(first)
    metric = first.unit == "metre"
    limits = THRESHOLDS if metric else THRESHOLDS_OF_EXTENT
    per_limit = scale if metric else 100.0
    errors = [e.errors() for e in evaluations]
    _curves(
        left,
        [translation * scale for translation, _ in errors],
        marks=sorted({distance * per_limit for distance, _ in limits.values()}),
        colors=[BLUE] if alone else MAP_COLORS,
        labels=labels,
        median=length_text(first.median_translation, first) if alone else None,
    )
    left.set_xlabel(f"position error ({unit})")
    left.set_ylabel("queries within it")
    _curves(
        right,
        [rotation for _, rotation in errors],
        marks=sorted({degrees for _, degrees in limits.values()}),
        colors=[ORANGE] if alone else MAP_COLORS,
        labels=labels,
        median=degrees_text(first.median_rotation_deg) if alone else None,
    )
    right.set_xlim(right=min(right.get_xlim()[1], 180.0))
    right.set_xlabel("rotation error (degrees)")
    handles = left.get_legend_handles_labels()
    if not alone and handles[0]:
        legend = figure.legend(
            *handles, loc="outside upper center", ncols=4, frameon=False, fontsize=8.5
        )
        ink_text(legend.get_texts())
    return figure


def _curves(
    axes: Axes,
    errors: Sequence[Array],
    *,
    marks: Sequence[float],
    colors: Sequence[str],
    labels: Sequence[str],
    median: str | None,
) -> None:
    plain_axes(axes)
    axes.set_xscale("log")
    axes.set_ylim(0, 103)
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(axis="y", color=INK, alpha=0.12, linewidth=0.6)
    for mark in marks:
        axes.axvline(mark, color=INK, alpha=0.45, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    # Log axes have no zero, and nobody looks for errors below a thousandth of these units.
    shown = [np.maximum(np.sort(e[np.isfinite(e)]), 1e-3) for e in errors]
    ends = [*np.concatenate(shown), *marks]
    axes.set_xlim(
        10 ** np.floor(np.log10(min(ends)) - 0.05), 10 ** np.ceil(np.log10(max(ends)) + 0.05)
    )
    if not any(map(len, shown)):
        note = axes.text(0.5, 0.5, "no frame was localized", color=INK, fontsize=9)
        note.set(transform=axes.transAxes, horizontalalignment="center")
    low, high = axes.get_xlim()
    for e, finite, color, label in zip(errors, shown, colors, labels, strict=False):
        if not len(finite):
            continue
        percent = 100.0 * np.arange(1, len(finite) + 1) / len(e)
        axes.step(
            [low, *finite, high], [0, *percent, percent[-1]], where="post", color=color,
            linewidth=1.8, label=label,
        )  # fmt: skip
        middle = max(float(np.median(e)), 1e-3)
        if not np.isfinite(middle):
            continue
        axes.plot(middle, 50, "o", color=color, markersize=5)
        if median is None:
            continue
        # The curve rises to the right: below it there is room on the right, above it on the left.
        on_right = np.log(middle / low) < 0.6 * np.log(high / low)
        axes.annotate(
            f"median {median}",
            (middle, 50),
            xytext=(8, -5) if on_right else (-8, 5),
            textcoords="offset points",
            ha="left" if on_right else "right",
            va="top" if on_right else "bottom",
            fontsize=8.5,
            color=INK,
        )
