"""How large a scene is."""

import numpy as np
import pytest

from reloc.geometry import look_at, pose_from
from reloc.mapping.scene_scale import meter_of, scene_scale


def ring(radius, count=60, seed=0):
    """Cameras that look from a ring at things near its centre."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack(
        [
            look_at((radius * np.cos(a), radius * np.sin(a), 0.2 * radius), rng.normal(0, 0.02, 3))
            for a in angles
        ]
    )


def side_by_side(depth, count=40):
    """Cameras in a short row that look at one thing far ahead."""
    return np.stack(
        [look_at((x, 0, 0), (0, depth, 0)) for x in np.linspace(-1, 1, count) * depth * 0.3]
    )


def test_cameras_around_a_thing_see_it_at_their_radius():
    assert scene_scale(ring(3.0)) == pytest.approx(3.06, rel=0.1)


def test_cameras_in_a_row_see_where_their_axes_meet():
    assert scene_scale(side_by_side(10.0)) == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("factor", [0.001, 100.0])
@pytest.mark.parametrize("poses", [ring(2.0), side_by_side(5.0)])
def test_it_is_linear_in_the_unit_of_length(poses, factor):
    scaled = poses.copy()
    scaled[:, :3, 3] *= factor
    assert scene_scale(scaled) == pytest.approx(factor * scene_scale(poses), rel=1e-9)


def test_the_world_frame_does_not_matter():
    poses = ring(2.0)
    elsewhere = look_at((400, -300, 50), (1, 2, 3)) @ poses
    # The bounding box turns with the world, so the bounds may move; the depth does not.
    assert scene_scale(elsewhere) == pytest.approx(scene_scale(poses), rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_parallel_axes_leave_the_spread_of_the_cameras(count):
    poses = np.stack([pose_from(np.eye(3), (x, 0, 0)) for x in np.linspace(0, 4, count)])
    assert scene_scale(poses) == 4


def test_a_scale_far_from_the_spread_is_not_believed():
    # Nearly parallel axes meet very far away, or one pair by chance right before the lens.
    far = np.stack([look_at((x, 0, 0), (0, 90, 0)) for x in np.linspace(-0.02, 0.02, 20)])
    far[::2, :3, :3] = look_at((0, 0, 0), (10, 90, 0))[:3, :3]
    assert 0.3 * 0.04 <= scene_scale(far) <= 10 * 0.04 + 1e-9


def test_the_same_poses_give_the_same_scale():
    assert scene_scale(ring(2.0)) == scene_scale(ring(2.0))


def test_the_meter_follows_the_scale_where_nobody_knows_it():
    assert meter_of("metre", scale=30.0) == 1.0
    assert meter_of("unknown", scale=30.0) == pytest.approx(100 * meter_of("unknown", scale=0.3))
