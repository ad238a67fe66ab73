"""Where a cube can stand."""

import numpy as np
import pytest

from reloc.geometry import look_at
from reloc.view.ground import SPOTS, find_ground

POSES = np.array([look_at((x, -4.0, 1.5), (x, 0.0, 0.8)) for x in (-1.0, 0.0, 1.0)])
RNG = np.random.default_rng(0)


def layer(height, count, *, low=-2.0, high=2.0):
    points = RNG.uniform(low, high, (count, 3))
    points[:, 2] = height + RNG.normal(0, 0.01, count)
    return points


def wall(count):
    points = RNG.uniform(-2, 2, (count, 3))
    points[:, 1], points[:, 2] = 2.0, RNG.uniform(0, 2.5, count)
    return points


def test_the_floor_is_found_among_walls_and_clutter():
    clutter = RNG.uniform((-2, -2, 0), (2, 2, 2.5), (100, 3))
    ground = find_ground(np.concatenate([layer(0.0, 400), wall(1500), clutter]), POSES)
    np.testing.assert_allclose(ground.up, [0, 0, 1], atol=0.01)
    assert np.abs(ground.spots[:, 2]).max() < 0.06
    assert len(ground.spots) == SPOTS
    apart = np.linalg.norm(ground.spots[:, None] - ground.spots, axis=2)
    assert apart[~np.eye(SPOTS, dtype=bool)].min() > 0.3
    axes = np.concatenate([ground.across, ground.up[None]])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1)


def test_of_floor_and_table_the_lower_wins_if_it_is_well_seen():
    table, floor = layer(0.8, 500, low=-1, high=1), layer(0.0, 400)
    assert find_ground(np.concatenate([table, floor]), POSES).spots[:, 2].max() < 0.1
    few = np.concatenate([table, floor[:60]])
    np.testing.assert_allclose(find_ground(few, POSES).spots[:, 2], 0.8, atol=0.06)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), layer(5.0, 300), wall(800), np.ones((3, 3))])
def test_without_a_level_surface_below_the_cameras_there_is_no_spot(points):
    assert len(find_ground(points, POSES).spots) == 0
