"""Where a place lies on its page."""

import numpy as np
import pytest

from reloc.geometry import look_at, pose_from, rotation_from_vector, transformed
from reloc.view.placement import placed

TURN = pose_from(rotation_from_vector((0.4, -1.1, 0.3)), (1e6, -2e6, 5.0))


def room(rng: np.random.Generator) -> np.ndarray:
    """Points on the floor and the walls of a room of 6 by 4 by 2.5."""
    points = rng.uniform((-3, -2, 0), (3, 2, 2.5), (6000, 3))
    points[:2000, 2] = 0
    points[2000:4000, 0] = np.sign(points[2000:4000, 0]) * 3
    points[4000:, 1] = np.sign(points[4000:, 1]) * 2
    return points


def test_a_room_is_upright_about_the_origin_wherever_its_world_lies() -> None:
    points = room(np.random.default_rng(0))
    poses = np.array([look_at((0, 0, 1.5), (np.cos(a), np.sin(a), 1.2)) for a in (0.6, 1, 1.4)])
    placement = placed(transformed(TURN, points), TURN @ poses)
    assert placement.kept.all()
    upright = transformed(placement.page_from_world @ TURN, points)
    np.testing.assert_allclose(np.ptp(upright[:, 2]), 2.5, atol=0.3)
    np.testing.assert_allclose(placement.high - placement.low, np.ptp(upright, axis=0), atol=0.8)
    assert upright[:2000, 2].mean() == pytest.approx(placement.low[2], abs=0.3)
    np.testing.assert_allclose(upright.mean(axis=0), 0, atol=0.5)
    # The yaw is where the cameras look.
    ahead = (placement.page_from_world @ TURN)[:3, :3] @ (np.cos(1), np.sin(1), 0)
    np.testing.assert_allclose((np.cos(placement.yaw), np.sin(placement.yaw)), ahead[:2], atol=0.05)


def test_what_flies_about_is_left_out_and_far_walls_do_not_set_the_scale() -> None:
    rng = np.random.default_rng(0)
    statue = rng.normal(0, 0.3, (3000, 3))
    walls = rng.normal(0, 1, (3000, 3))
    walls *= 12 / np.linalg.norm(walls, axis=1, keepdims=True)
    flying = rng.normal(0, 300, (50, 3))
    poses = np.array(
        [look_at((2 * np.cos(a), 2 * np.sin(a), 0), (0, 0, 0)) for a in np.arange(0, 6, 0.4)]
    )
    placement = placed(np.concatenate([statue, walls, flying]), poses)
    assert placement.kept[:3000].all()
    assert placement.kept[6000:].mean() < 0.1
    assert placement.radius < 6


def test_cameras_alone_are_a_place_too() -> None:
    one = placed(np.zeros((0, 3)), np.eye(4)[None])
    assert one.radius > 0
    assert one.kept.shape == (0,)


def test_points_that_are_not_finite_are_left_out() -> None:
    points = room(np.random.default_rng(0))
    points[5] = np.nan
    points[6, 1] = np.inf
    placement = placed(points, np.array([look_at((0, 0, 1), (1, 0, 1))]))
    assert np.isfinite(placement.page_from_world).all()
    assert not placement.kept[5] and not placement.kept[6]


def test_up_that_is_known_is_taken_whatever_the_cameras_say() -> None:
    poses = np.array([look_at((0, 0, 1.5), (np.cos(a), np.sin(a), 1.2)) for a in (0.6, 1, 1.4)])
    up = np.array([0.6, 0.0, 0.8])
    page_from_world = placed(room(np.random.default_rng(0)), poses, up=up).page_from_world
    np.testing.assert_allclose(page_from_world[:3, :3] @ up, (0, 0, 1), atol=1e-12)
