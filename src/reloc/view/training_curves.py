"""Curves of a training: what its log tells, against its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reloc.files import atomic_path
from reloc.untrusted import number, parsed_json, record, text
from reloc.view.style import BLUE, GRAY, new_figure, plain_axes

COLUMNS = 3
SMOOTH = 0.1  # share of a curve that its running median spans
MAX_NAME, MAX_VALUE = 80, 1e30


def write_training_curves(log: Path, path: Path, *, stages: Sequence[str]) -> None:
    """Draws the figures that stages have in a log of JSON lines; nothing where there are none.

    Args:
        log: as ``--json-log`` writes it; a last line that is cut off is left out.
        path: the picture, by its suffix.
        stages: those of the training; others, such as reading images, are left out.

    Raises:
        OutputError: the picture cannot be written.
    """
    lines = log.read_text("utf-8", errors="replace").splitlines()
    rows = [row for row in map(_row, lines) if row is not None]
    figure = training_curves([row for row in rows if row["stage"] in stages])
    if figure is not None:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=120)


def _row(line: str) -> dict[str, Any] | None:
    """A line of a log; None for one that is cut off or of something else."""
    try:
        row = record(parsed_json(line), "line")
        figures = {
            text(name, "figure", most=MAX_NAME): number(
                value, "value", least=-MAX_VALUE, most=MAX_VALUE
            )
            for name, value in row.items()
            if name != "stage" and value is not None
        }
        return {**figures, "stage": text(row["stage"], "stage"), "done": figures["done"]}
    except (ValueError, KeyError):
        return None


def training_curves(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """A panel for each figure: its values, and their running median.

    Args:
        rows: ``done``, the steps made, and figures by name, None where there is none.
    """
    beside = ("seconds", "stage", "done", "total")
    # What was not finite is null in a log.
    told = [(n, row["done"], v) for row in rows for n, v in row.items() if v is not None]
    names = list(dict.fromkeys(name for name, _, _ in told if name not in beside))
    if not names:
        return None
    lines = -(-len(names) // COLUMNS)
    figure = new_figure(3.2 * min(len(names), COLUMNS), 2.5 * lines)
    figure.patch.set_alpha(1)
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(lines, min(len(names), COLUMNS), place)
        steps, values = np.array([(at, v) for n, at, v in told if n == name], float).T
        axes.plot(steps, values, color=GRAY, linewidth=0.7, alpha=0.7)
        axes.plot(steps, _running_median(values), color=BLUE, linewidth=1.4)
        axes.set_title(name.replace("_", " "), parse_math=False)
        axes.set_xlabel("steps")
        plain_axes(axes)
    return figure


def _running_median(values: np.ndarray) -> np.ndarray:
    reach = max(1, round(SMOOTH * len(values) / 2))
    windows = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    return np.array([np.median(window) for window in windows])
