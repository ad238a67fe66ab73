"""Where in a place, and looking which way, queries fail."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from reloc.evaluation.figures import threshold_text
from reloc.evaluation.metrics import THRESHOLDS, THRESHOLDS_OF_EXTENT, Evaluation
from reloc.scenes.scene import Frame, poses_of
from reloc.view.plan import Plan, plan_box
from reloc.view.plots import MANY_CAMERAS, WIDTH
from reloc.view.style import BLUE, ERROR_COLORS, GRAY, INK, RED, ink_text, new_figure, plain_axes

Array = NDArray[np.float64]

CELLS = 12  # along the longer side of the plan
SECTORS = 16


def failure_map(
    evaluation: Evaluation, mapping: Sequence[Frame], *, up: ArrayLike | None = None
) -> Figure | None:
    """A heat map of failures over the floor plan, and a rose of them over the directions of view.

    Both lie as the view from above does. A query fails that is lost or not within 5 cm and 5
    degrees, or 3 % of the extent where there are no metres. None where no threshold means anything.

    Args:
        evaluation: its frames hold the true poses.
        mapping: the mapping frames, which the plan is laid through.
        up: (3,) direction against gravity in the world, if known.
    """
    limit = _limit(evaluation)
    known = [f for f in evaluation.frames if f.true_world_from_cam is not None]
    if limit is None or not known:
        return None
    key, distance, degrees = limit
    failed = np.array([not _within(f.translation_error, f.rotation_error_deg, distance, degrees)
                       for f in known])  # fmt: skip
    truths = np.array([f.true_world_from_cam for f in known])
    mapped = poses_of(mapping)
    plan = Plan.through(mapped if len(mapped) else truths, up=up)
    figure = new_figure(WIDTH, 3.9)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.9, 1))
    heat, rose = figure.add_subplot(grid[0]), figure.add_subplot(grid[1], projection="polar")
    heat.set_title(f"share of queries beyond {threshold_text(key)}", fontsize=9, color=INK)
    heat.set_xlabel("m" if evaluation.unit == "metre" else "scene units")
    _heat(figure, heat, plan.positions(truths), plan.positions(mapped), failed)
    _rose(rose, plan.directions(truths), failed)
    return figure


def _limit(evaluation: Evaluation) -> tuple[str, float, float] | None:
    if evaluation.unit == "metre":
        return "5cm_5deg", *THRESHOLDS["5cm_5deg"]
    share, degrees = THRESHOLDS_OF_EXTENT["3%_5deg"]
    distance = share * evaluation.scene_extent
    return ("3%_5deg", distance, degrees) if np.isfinite(distance) and distance > 0 else None


def _within(
    translation: float | None, rotation: float | None, distance: float, degrees: float
) -> bool:
    return (
        translation is not None
        and rotation is not None
        and translation <= distance
        and rotation <= degrees
    )


def _heat(figure: Figure, axes: Axes, at: Array, cameras: Array, failed: NDArray[np.bool_]) -> None:
    """Squares over the plan, as full as they hold queries, coloured by the share that fails."""
    plain_axes(axes)
    axes.set_aspect("equal")
    low, high = plan_box(np.concatenate([at, cameras]))
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.scatter(
        cameras[:, 0], cameras[:, 1], s=3, color=GRAY, alpha=0.35, linewidths=0,
        rasterized=len(cameras) > MANY_CAMERAS,
    )  # fmt: skip
    side = float((high - low).max()) / CELLS
    cells, of_cell, counts = np.unique(
        np.floor((at - low) / side).astype(int), axis=0, return_inverse=True, return_counts=True
    )
    # The area of a square grows with its queries, up to a dozen, which fill the cell.
    sizes = side * np.clip(np.sqrt(counts / 12), 0.35, 0.96)
    corners = low + (cells + 0.5) * side - sizes[:, None] / 2
    squares = axes.add_collection(
        PatchCollection(
            [Rectangle(corner, size, size) for corner, size in zip(corners, sizes, strict=True)],
            array=np.bincount(of_cell.ravel(), weights=failed) / counts,
            cmap=ERROR_COLORS,
            norm=Normalize(0, 1),
            linewidths=0,
        )
    )
    bar = figure.colorbar(squares, ax=axes, shrink=0.8, aspect=30, pad=0.02)
    bar.set_ticks((0, 0.5, 1), labels=("none", "half", "all"))
    bar.ax.tick_params(which="both", color=INK, labelcolor=INK, labelsize=8)
    bar.outline.set_visible(False)


def _rose(axes: Axes, ahead: Array, failed: NDArray[np.bool_]) -> None:
    """Queries by the direction they look in, those that fail on top; up and down left out."""
    level = np.linalg.norm(ahead, axis=1) > 0.3
    angles = np.arctan2(ahead[level, 1], ahead[level, 0]) % (2 * np.pi)
    edges = np.linspace(0, 2 * np.pi, SECTORS + 1)
    every, _ = np.histogram(angles, edges)
    bad, _ = np.histogram(angles[failed[level]], edges)
    middle, width = (edges[:-1] + edges[1:]) / 2, 0.92 * 2 * np.pi / SECTORS
    axes.bar(middle, every - bad, width, color=BLUE, alpha=0.75, label="within")
    axes.bar(middle, bad, width, bottom=every - bad, color=RED, alpha=0.9, label="beyond")
    axes.patch.set_alpha(0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines["polar"].set_color(INK)
    axes.spines["polar"].set_alpha(0.3)
    axes.set_title("by direction of view", fontsize=9, color=INK)
    legend = axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False, fontsize=8.5
    )
    ink_text(legend.get_texts())
