"""Where queries fail: in which cell of the plan, and looking which way."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.geometry import Camera, look_at, pose_from
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame
from reloc.view.failures import failure_map
from reloc.view.plan import Plan
from reloc.view.style import svg

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


def evaluation(unit: Literal["metre", "unknown"] = "metre", *, extent: float = 10.0) -> Evaluation:
    """Ten queries at x = 0 that look along x and are found, two at x = 9 along y that are not."""
    good = [look_at((0, 0.01 * i, 0), (5, 0.01 * i, 0)) for i in range(10)]
    bad = [look_at((9, 0, 0), (9, 5, 0)), look_at((9, 0.1, 0), (9, 5, 0))]
    frames = [Frame(str(i), Path("x"), CAMERA, p) for i, p in enumerate(good + bad)]
    estimates = [Estimate(f.name, True, f.world_from_cam) for f in frames[:10]]
    estimates.append(Estimate("10", True, pose_from(np.eye(3), (0, 0, 3)) @ bad[0]))
    return evaluate(
        estimates, frames, scene_extent=extent, map_bytes=1, mapping_seconds=1, unit=unit
    )


@pytest.fixture
def mapping() -> list[Frame]:
    poses = [look_at((x, y, 0), (x + 1, y, 0)) for x in range(10) for y in (-1, 0, 1)]
    return [Frame(f"m{i}", Path("x"), CAMERA, p) for i, p in enumerate(poses)]


def test_cells_are_colored_by_what_fails_in_them(mapping) -> None:
    figure = failure_map(evaluation(), mapping, up=(0, 0, 1))
    assert figure is not None
    heat, rose = figure.axes[0], next(a for a in figure.axes if a.name == "polar")
    squares = heat.collections[1]
    assert sorted(squares.get_array()) == [0, 1]
    areas = [np.ptp(np.asarray(p.vertices)[:, 0]) for p in squares.get_paths()]
    assert max(areas) > 1.5 * min(areas)
    assert "5 cm, 5°" in heat.get_title()
    within, beyond = (np.array([bar.get_height() for bar in c]) for c in rose.containers)
    assert (within.sum(), beyond.sum()) == (10, 2)
    # What is lost looks at right angles to what is found.
    angles = [rose.containers[0][int(v.argmax())].get_x() for v in (within, beyond)]
    assert abs(np.degrees(angles[1] - angles[0])) % 180 == pytest.approx(90, abs=23)


def test_without_meters_the_extent_is_the_measure(mapping) -> None:
    figure = failure_map(evaluation("unknown"), mapping)
    assert figure is not None
    assert "3 % of extent, 5°" in figure.axes[0].get_title()
    assert failure_map(evaluation("unknown", extent=0.0), mapping) is None


def test_next_to_nothing_is_drawn() -> None:
    figure = failure_map(evaluation(), [])
    assert figure is not None
    assert svg(figure, title="x").startswith("<svg ")


def test_a_plan_keeps_lengths_and_directions() -> None:
    poses = [look_at((x, y, 2), (x, y + 1, 2)) for x in (0, 4) for y in (0, 1)]
    plan = Plan.through(poses, up=(0, 0, 1))
    np.testing.assert_allclose(np.ptp(plan.positions(poses), axis=0), (4, 1), atol=1e-9)
    np.testing.assert_allclose(plan.directions(poses), [[0, 1]] * 4, atol=1e-9)
    assert plan.positions([]).shape == (0, 2)
