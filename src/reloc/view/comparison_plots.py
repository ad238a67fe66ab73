"""Which of several maps is right where: frame against frame, and over the plan."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from reloc.evaluation.comparison import Comparison
from reloc.evaluation.figures import length_scale
from reloc.geometry.plan import up_direction
from reloc.view.plan import Plan, plan_box
from reloc.view.style import GRAY, INK, MAP_COLORS, ink_text, new_figure, plain_axes, plot_text

Array = NDArray[np.float64]

WIDTH = 9.4  # inches
PANELS = 3  # side by side


def paired_errors(comparison: Comparison) -> Figure:
    """Position errors of each map over those of the first, a dot per frame.

    Below the diagonal the other map is nearer to the truth. Lost frames stand at the far edges.
    """
    scale, unit = length_scale(comparison.evaluations[0])
    errors = [e.errors()[0] * scale for e in comparison.evaluations]
    finite = np.concatenate([e[np.isfinite(e)] for e in errors])
    low, high = 1e-3, 1.0
    if len(finite):
        low, high = max(float(finite.min()), 1e-3) / 1.5, max(float(finite.max()), 2e-3) * 1.5
    edge = high * (high / low) ** 0.06
    others = len(errors) - 1
    columns = min(others, PANELS)
    rows = -(-others // columns)
    side = WIDTH / PANELS + 0.3
    figure = new_figure(side * columns, side * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[others:]:
        axes.set_visible(False)
    for index, axes in enumerate(grid.flat[:others], start=1):
        plain_axes(axes)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.plot([low, edge], [low, edge], color=INK, alpha=0.5, linewidth=0.8)
        x, y = (
            np.where(np.isfinite(e), np.maximum(e, low), edge) for e in (errors[0], errors[index])
        )
        axes.scatter(x, y, s=14, color=MAP_COLORS[index], alpha=0.6, linewidths=0)
        for limits in (axes.set_xlim, axes.set_ylim):
            limits(low, edge * 1.08)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_aspect("equal")
        axes.set_xlabel(f"{plot_text(comparison.labels[0])} ({unit})")
        axes.set_ylabel(f"{plot_text(comparison.labels[index])} ({unit})")
    return figure


def winners_plan(comparison: Comparison) -> Figure | None:
    """Where each map is the nearest to the truth, from above; None where poses are not known."""
    frames = comparison.evaluations[0].frames
    known = [i for i, f in enumerate(frames) if f.true_world_from_cam is not None]
    if not known:
        return None
    poses = np.array([frames[i].true_world_from_cam for i in known])
    at = Plan.through(poses, up=up_direction(poses)).positions(poses)
    errors = np.array([e.errors()[0][known] for e in comparison.evaluations])
    best, ordered = errors.argmin(axis=0), np.sort(errors, axis=0)
    # The next best has to be a tenth worse; of frames that all lost no map is the winner.
    clear = ordered[0] < 0.9 * ordered[1]
    low, high = plan_box(at)
    sides = high - low
    figure = new_figure(WIDTH, float(np.clip((WIDTH - 1) * sides[1] / sides[0], 2.4, 6.0)) + 0.6)
    axes = figure.subplots()
    plain_axes(axes)
    axes.set_aspect("equal")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xlabel("m" if comparison.evaluations[0].unit == "metre" else "scene units")
    if not clear.all():
        axes.scatter(
            at[~clear, 0],
            at[~clear, 1],
            s=22,
            color=GRAY,
            alpha=0.5,
            linewidths=0,
            label="no winner",
        )
    for index, label in enumerate(comparison.labels):
        won = clear & (best == index)
        if won.any():
            axes.scatter(
                at[won, 0], at[won, 1], s=26, color=MAP_COLORS[index], alpha=0.85, linewidths=0,
                label=f"{plot_text(label)}: {int(won.sum())}",
            )  # fmt: skip
    legend = figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8.5)
    ink_text(legend.get_texts())
    return figure
