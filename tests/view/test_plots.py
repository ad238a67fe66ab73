"""Figures: what is drawn where, without looking at pixels."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.geometry import Camera, look_at, pose_from
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame
from reloc.view.curves import error_curves
from reloc.view.plots import stage_times, top_view
from reloc.view.style import INK, svg

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


def ring(count: int = 12, height: float = 1.0) -> np.ndarray:
    """Cameras on an ellipse of 4 by 2 around the z axis, tops up, looking inwards."""
    angles = np.arange(count) * 2 * np.pi / count
    return np.array(
        [look_at((4 * np.cos(a), 2 * np.sin(a), height), (0, 0, height)) for a in angles]
    )


def frames(poses: np.ndarray) -> list[Frame]:
    return [Frame(str(i), Path("x"), CAMERA, pose) for i, pose in enumerate(poses)]


def evaluation(
    offsets: list[float | None], *, unit: Literal["metre", "unknown"] = "metre", extent: float = 8
) -> Evaluation:
    """Query frames whose estimates are off along z; None for a lost one."""
    queries = frames(ring(len(offsets)))
    estimates = [
        Estimate(f.name, False, None, seconds={"pose": 0.1})
        if z is None
        else Estimate(f.name, True, pose_from(np.eye(3), (0, 0, z)) @ f.world_from_cam)
        for f, z in zip(queries, offsets, strict=True)
    ]
    return evaluate(
        estimates, queries, scene_extent=extent, map_bytes=1, mapping_seconds=None, unit=unit
    )


def test_curves_end_at_the_share_that_was_localized() -> None:
    figure = error_curves([evaluation([0.01, 0.02, 0.04, None])])
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        curve = max(axes.lines, key=lambda line: len(np.asarray(line.get_xdata())))
        assert np.asarray(curve.get_ydata())[-1] == 75
    curve = max(figure.axes[0].lines, key=lambda line: len(np.asarray(line.get_xdata())))
    # In centimetres, each error a step of 25 %.
    np.testing.assert_allclose(np.asarray(curve.get_xdata())[1:4], [1, 2, 4])
    assert list(np.asarray(curve.get_ydata())[1:4]) == [25, 50, 75]
    assert figure.axes[0].get_xlabel() == "position error (cm)"


def test_curves_of_a_scene_without_meters_are_in_percent_of_extent() -> None:
    axes = error_curves([evaluation([0.08, 0.16], unit="unknown")]).axes[0]
    curve = max(axes.lines, key=lambda line: len(np.asarray(line.get_xdata())))
    np.testing.assert_allclose(np.asarray(curve.get_xdata())[1:3], [1, 2])
    assert axes.get_xlabel() == "position error (% of extent)"


EXTREMES: list[list[float | None]] = [[None, None], [0.0, 0.0], [0.1], [1e9, 1e-12]]


@pytest.mark.slow
@pytest.mark.parametrize("offsets", EXTREMES)
@pytest.mark.parametrize(("unit", "extent"), [("metre", 8.0), ("unknown", 0.0)])
def test_extremes_are_drawn(
    offsets: list[float | None], unit: Literal["metre", "unknown"], extent: float
) -> None:
    result = evaluation(offsets, unit=unit, extent=extent)
    error_curves([result]).draw_without_rendering()
    top_view(result, frames(ring())).draw_without_rendering()


@pytest.mark.slow
@pytest.mark.parametrize("offsets", EXTREMES)
@pytest.mark.parametrize("cameras", [0, 1])
def test_few_mapping_cameras_are_drawn(offsets: list[float | None], cameras: int) -> None:
    result = evaluation(offsets, unit="unknown")
    top_view(result, frames(ring(cameras))).draw_without_rendering()


def test_top_view_keeps_proportions_and_says_what_left_it() -> None:
    result = evaluation([0.0, 0.0, None])
    far = evaluate(
        [Estimate("0", True, pose_from(np.eye(3), (500, 0, 0)))],
        frames(ring(1)),
        scene_extent=8,
        map_bytes=1,
        mapping_seconds=1,
    )
    axes = top_view(result, frames(ring())).axes[0]
    assert axes.get_aspect() == 1
    assert axes.get_title() == ""
    labels = [c.get_label() for c in axes.collections]
    assert {"mapping camera", "true query", "lost query", "estimate"} <= set(labels)
    axes = top_view(far, frames(ring())).axes[0]
    assert axes.get_title() == "outside of this view: 1 of 1 estimates"
    # 8 wide and 4 deep: the far estimate does not stretch the view.
    assert np.ptp(axes.get_xlim()) < 10
    assert np.ptp(axes.get_ylim()) < 6


def test_stage_times() -> None:
    assert stage_times(evaluation([0.1])) is None
    figure = stage_times(evaluation([None, 0.1]))
    assert figure is not None
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["pose"]
    assert "100 ms" in [t.get_text() for t in figure.axes[0].texts]


def test_svg_stands_alone_and_takes_the_color_of_the_page() -> None:
    result = evaluation([0.1, None])
    assert svg(top_view(result, frames(ring())), title="view").startswith("<svg ")
    text = svg(error_curves([result]), title="curves")
    assert text.startswith('<svg role="img" aria-label="curves"')
    assert "http" not in text
    assert "currentColor" in text
    assert INK not in text
