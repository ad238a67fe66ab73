"""Figures of an evaluation: error curves, the view from above, time by stage.

Built from ``Figure`` objects without pyplot, so there is no global state and no window system.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from reloc.evaluation.figures import (
    error_ticks,
    length_scale,
    seconds_text,
)
from reloc.evaluation.metrics import Evaluation
from reloc.scenes.scene import Frame, poses_of
from reloc.view.plan import Plan, plan_box
from reloc.view.style import (
    BLUE,
    ERROR_COLORS,
    GRAY,
    INK,
    RED,
    ink_text,
    new_figure,
    plain_axes,
)

Array = NDArray[np.float64]

WIDTH = 9.4  # inches
MANY_CAMERAS = 3000  # above this the dots are embedded as pixels, which keeps the page small


def top_view(
    evaluation: Evaluation, mapping: Sequence[Frame], *, up: ArrayLike | None = None
) -> Figure:
    """Mapping cameras, true and estimated query positions, seen from above.

    The frame of the picture fits the mapping cameras and the true positions; estimates that are
    far off leave it, with a line that says where from.

    Args:
        evaluation: its frames hold the poses.
        mapping: the mapping frames.
        up: (3,) direction against gravity in the world, if known.
    """
    poses = poses_of(mapping)
    known = [f for f in evaluation.frames if f.true_world_from_cam is not None]
    truths = [f.true_world_from_cam for f in known if f.true_world_from_cam is not None]
    plan = Plan.through(poses if len(poses) else truths, up=up)
    cameras, true = plan.positions(poses), plan.positions(truths)
    low, high = plan_box(np.concatenate([cameras, true]))
    sides = high - low
    # The legend above and the colour bar beside take a fixed part of the figure.
    figure = new_figure(WIDTH, float(np.clip((WIDTH - 1.7) * sides[1] / sides[0], 2.4, 7.0)) + 0.9)
    axes = figure.subplots()
    plain_axes(axes)
    axes.set_aspect("equal")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    unit = "m" if evaluation.unit == "metre" else "scene units"
    axes.set_xlabel(unit)
    axes.set_ylabel(unit)
    axes.scatter(
        cameras[:, 0],
        cameras[:, 1],
        s=9,
        color=GRAY,
        alpha=0.45,
        linewidths=0,
        rasterized=len(cameras) > MANY_CAMERAS,
        label="mapping camera",
    )
    lost = np.array([not f.localized for f in known], dtype=bool)
    axes.scatter(
        true[~lost, 0],
        true[~lost, 1],
        s=26,
        facecolors="none",
        edgecolors=INK,
        linewidths=0.7,
        label="true query",
    )
    if lost.any():
        axes.scatter(
            true[lost, 0],
            true[lost, 1],
            s=26,
            color=RED,
            marker="x",
            linewidths=1.2,
            label="lost query",
        )
    found = [f for f in known if f.world_from_cam is not None]
    if found:
        estimated = plan.positions(
            [f.world_from_cam for f in found if f.world_from_cam is not None]
        )
        errors = [f.translation_error or 0.0 for f in found]
        _estimates(figure, axes, true[~lost], estimated, np.array(errors), evaluation)
        outside = int(((estimated < low) | (estimated > high)).any(axis=1).sum())
        if outside:
            axes.set_title(f"outside of this view: {outside} of {len(found)} estimates", fontsize=9)
    legend = figure.legend(
        loc="outside upper center", ncols=4, frameon=False, fontsize=8.5, markerscale=1.4
    )
    ink_text(legend.get_texts())
    return figure


def stage_times(evaluation: Evaluation) -> Figure | None:
    """Median time of each stage of a query as bars; None if no stage was timed."""
    times = evaluation.seconds_per_query
    stages = {name: s for name, s in times.items() if name != "median" and s is not None}
    if not stages:
        return None
    figure = new_figure(WIDTH, 0.45 + 0.3 * len(stages))
    axes = figure.subplots()
    plain_axes(axes)
    bars = axes.barh(list(stages), list(stages.values()), color=BLUE, height=0.62)
    labels = axes.bar_label(bars, [seconds_text(s) for s in stages.values()], padding=4, fontsize=8)
    ink_text(labels)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _estimates(
    figure: Figure, axes: Axes, true: Array, estimated: Array, errors: Array, evaluation: Evaluation
) -> None:
    """Estimated positions (N, 2), joined with the true ones, coloured by error."""
    scale, unit = length_scale(evaluation)
    ticks = error_ticks(evaluation)
    norm = LogNorm(ticks[0], ticks[-1])
    values = np.maximum(errors * scale, ticks[0] / 10)
    axes.add_collection(
        LineCollection(
            list(np.stack([true, estimated], axis=1)),
            array=values,
            cmap=ERROR_COLORS,
            norm=norm,
            linewidths=1.0,
        )
    )
    dots = axes.scatter(
        estimated[:, 0],
        estimated[:, 1],
        s=13,
        c=values,
        cmap=ERROR_COLORS,
        norm=norm,
        linewidths=0,
        zorder=3,
        label="estimate",
    )
    bar = figure.colorbar(dots, ax=axes, extend="both", shrink=0.8, aspect=30, pad=0.02)
    bar.set_label(f"position error ({unit})", color=INK, fontsize=9)
    bar.ax.tick_params(which="both", color=INK, labelcolor=INK, labelsize=8)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
