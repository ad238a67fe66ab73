"""The plan of a scene: seen from above, whatever way its world is turned."""

from typing import Any

import numpy as np
import pytest

from reloc.geometry import look_at, pose_from, rotation_from_vector
from reloc.geometry.plan import plan_axes, up_direction


def ring(count: int = 12, height: float = 1.0) -> np.ndarray:
    """Cameras on an ellipse of 4 by 2 around the z axis, tops up, looking inwards."""
    angles = np.arange(count) * 2 * np.pi / count
    return np.array(
        [look_at((4 * np.cos(a), 2 * np.sin(a), height), (0, 0, height)) for a in angles]
    )


def test_plan_is_seen_from_above_longer_side_first() -> None:
    np.testing.assert_allclose(plan_axes(ring()), [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    np.testing.assert_allclose(plan_axes(ring(), up=(0, 0, 5)), [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    # Turned world: the plan turns with it and stays a view from above, never a mirror image.
    turn = pose_from(rotation_from_vector((0.3, 1.2, -0.4)), (9, 9, 9))
    first, second = plan_axes(turn @ ring())
    np.testing.assert_allclose(np.cross(first, second), turn[:3, 2], atol=1e-9)
    assert abs(first @ turn[:3, 0]) == pytest.approx(1)


@pytest.mark.parametrize("steps", [np.zeros(5), np.arange(5.0)])
def test_plan_of_a_line_or_a_point_follows_the_tops_of_the_images(steps: np.ndarray) -> None:
    poses = np.array([look_at((x, 0, 0), (x + 0.1, 7, 0)) for x in steps])
    first, second = plan_axes(poses)
    np.testing.assert_allclose(np.cross(first, second), (0, 0, 1), atol=1e-9)
    assert np.linalg.norm(first) == pytest.approx(1)
    if steps.any():
        assert abs(first[0]) == pytest.approx(1)


@pytest.mark.parametrize("target", [(0, 0, 1), (0, 0, -3), (90, 40, 0)])
def test_up_is_found_whether_cameras_look_ahead_down_or_one_way(target: tuple[Any, ...]) -> None:
    """Of cameras that all look far down the tops of the images alone would be no good."""
    poses = np.array([look_at(pose[:3, 3], target) for pose in ring()[:7]])
    turn = pose_from(rotation_from_vector((0.3, 1.2, -0.4)), (9, 9, 9))
    angle = np.degrees(np.arccos(min(1.0, float(up_direction(turn @ poses) @ turn[:3, 2]))))
    assert angle < (15 if target[0] else 1)
