"""Recall against strength: a panel per corruption, a line per method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corruptions import CORRUPTIONS

from reloc.files import atomic_path
from reloc.view.style import GRAY, MAP_COLORS, new_figure, plain_axes, plot_text

COLUMNS = 5
UNTOUCHED = "none"


def curves(
    rows: Sequence[dict[str, Any]], *, change: str, method: str, measure: str
) -> list[tuple[float, float]]:
    """Strength and recall of one method under one corruption, by ascending strength.

    It begins, or goes through, the recall of untouched queries where the corruption has a strength
    that changes nothing.
    """
    own = [row for row in rows if row["method"] == method]
    points = [(row["strength"], row[measure]) for row in own if row["change"] == change]
    start = CORRUPTIONS[change].untouched
    if points and start is not None:
        points += [(start, row[measure]) for row in own if row["change"] == UNTOUCHED]
    return sorted(points)


def plot_robustness(
    rows: Sequence[dict[str, Any]], path: Path, *, measure: str, title: str
) -> None:
    """Draws the rows of one scene.

    Args:
        rows: with ``method``, ``change``, ``strength`` and the measure.
        path: an .svg or .png file.
        measure: name of the recall, in percent.
        title: what the recall is of.

    Raises:
        OutputError: the file cannot be written.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    changes = [name for name in CORRUPTIONS if any(row["change"] == name for row in rows)]
    columns = max(1, min(COLUMNS, len(changes)))
    lines = max(1, -(-len(changes) // columns))
    figure = new_figure(2.3 * columns + 0.5, 2.1 * lines + 0.7)
    figure.patch.set_facecolor("white")
    figure.patch.set_alpha(1)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(changes) :]:
        axes.set_visible(False)
    for axes, change in zip(grid.flat, changes, strict=False):
        for method, color in zip(methods, MAP_COLORS, strict=False):
            points = curves(rows, change=change, method=method, measure=measure)
            if points:
                axes.plot(*zip(*points, strict=True), "o-", color=color, lw=1.5, ms=3.5)
        axes.set_ylim(-3, 103)
        axes.grid(axis="y", color=GRAY, alpha=0.25, linewidth=0.6)
        axes.set_title(change)
        axes.set_xlabel(CORRUPTIONS[change].unit)
        plain_axes(axes)
    for row in grid:
        row[0].set_ylabel("recall (%)")
    figure.suptitle(title, fontsize=10)
    handles = [
        figure.axes[0].plot([], [], "o-", color=color, label=plot_text(method))[0]
        for method, color in zip(methods, MAP_COLORS, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
