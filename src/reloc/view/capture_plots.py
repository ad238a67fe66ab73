"""Figures of a capture before it is mapped: the plan with what is missing, focal length, blur."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from reloc.capture.advice import Viewpoint
from reloc.capture.agreement import FACTORS
from reloc.capture.coverage import FEW_VIEWS
from reloc.capture.photos import BLURRED
from reloc.capture.survey import Survey
from reloc.geometry.plan import up_direction
from reloc.view.plan import Plan, plan_box
from reloc.view.style import BLUE, GRAY, INK, ORANGE, RED, ink_text, new_figure, plain_axes

Array = NDArray[np.float64]

WIDTH = 9.4  # inches
# A camera is drawn as long as this share of the plan's longer side.
ARROW = 0.03


def capture_plan(survey: Survey, places: Sequence[Viewpoint]) -> Figure:
    """The mapping cameras from above, coloured by how many others see the same, and where to go.

    Args:
        survey: its frames are drawn.
        places: drawn as numbered arrows, counted from 1 in this order.
    """
    poses = np.array([f.world_from_cam for f in survey.frames])
    plan = Plan.through(poses, up=up_direction(poses))
    at = plan.positions(poses)
    wanted = np.array([(p.centre - plan.origin) @ plan.axes.T for p in places]).reshape(-1, 2)
    low, high = plan_box(np.concatenate([at, wanted]))
    sides = high - low
    figure = new_figure(WIDTH, float(np.clip(WIDTH * sides[1] / sides[0], 2.6, 7.4)) + 0.5)
    axes = figure.subplots()
    plain_axes(axes)
    axes.set_aspect("equal")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xlabel("m" if survey.unit == "metre" else "scene units")
    length = ARROW * float(sides.max())
    views = survey.coverage.views if survey.coverage else np.full(len(poses), 100)
    _cameras(axes, at, plan.directions(poses) * length, views)
    ahead = np.array([p.forward @ plan.axes.T for p in places]).reshape(-1, 2)
    _wanted(axes, wanted, ahead * 2.2 * length)
    legend = figure.legend(
        loc="outside upper center", ncols=4, frameon=False, fontsize=8.5, markerscale=1.6
    )
    ink_text(legend.get_texts())
    return figure


def focal_curve(survey: Survey) -> Figure | None:
    """How far matches are off if the focal lengths were others; None where nothing was matched."""
    costs = survey.agreement.focal_costs
    if not len(costs):
        return None
    figure = new_figure(WIDTH / 2, 2.4)
    axes = figure.subplots()
    plain_axes(axes)
    axes.set_xscale("log")
    axes.plot(FACTORS, costs, color=BLUE, linewidth=1.8)
    axes.axvline(1, color=INK, alpha=0.5, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 1.05 * float(costs.max()))
    axes.set_xticks([0.6, 0.8, 1, 1.25, 1.6], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("focal length, times the given one")
    axes.set_ylabel("matches are off by (px)")
    return figure


def blur_strip(survey: Survey) -> Figure:
    """Blur of each photo that was looked at, in the order of the capture."""
    figure = new_figure(WIDTH / 2, 2.4)
    axes = figure.subplots()
    plain_axes(axes)
    values = np.array([photo.blur for photo in survey.photos])
    colors = np.where(values > BLURRED, RED, BLUE)
    axes.scatter(np.arange(len(values)), values, s=9, c=colors, linewidths=0)
    axes.axhline(BLURRED, color=RED, alpha=0.6, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 1)
    axes.set_xlabel("photos that were looked at, in order")
    axes.set_ylabel("blur")
    return figure


def _cameras(axes: Axes, at: Array, ahead: Array, views: NDArray[np.intp]) -> None:
    kinds = (
        (views >= FEW_VIEWS, GRAY, "mapping camera"),
        ((views > 0) & (views < FEW_VIEWS), ORANGE, f"seen in fewer than {FEW_VIEWS} others"),
        (views == 0, RED, "seen in no other"),
    )
    for chosen, color, label in kinds:
        if not chosen.any():
            continue
        axes.quiver(
            *at[chosen].T, *ahead[chosen].T, color=color, alpha=0.75, width=0.0016,
            headwidth=5, headlength=6, headaxislength=5, angles="xy", scale_units="xy", scale=1,
        )  # fmt: skip
        axes.scatter(at[chosen, 0], at[chosen, 1], s=9, color=color, linewidths=0, label=label)


def _wanted(axes: Axes, at: Array, ahead: Array) -> None:
    if not len(at):
        return
    axes.quiver(
        *at.T, *ahead.T, color=BLUE, width=0.004, angles="xy", scale_units="xy", scale=1, zorder=4
    )
    axes.scatter(
        at[:, 0], at[:, 1], s=120, color=BLUE, zorder=5, label="take photos here, looking there"
    )
    for number, (x, y) in enumerate(at, start=1):
        axes.text(
            x, y, str(number), color="white", fontsize=8, fontweight="bold", zorder=6,
            ha="center", va="center_baseline",
        )  # fmt: skip
