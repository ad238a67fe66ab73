"""Models as they are written: upright, whichever way the camera was held."""

import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at
from reloc.geometry.turns import original_from_turned, turned_camera
from reloc.sfm.models import _upright


def pixel(camera, world_from_cam, point):
    x, y, z = (inverted(world_from_cam) @ [*point, 1.0])[:3]
    return camera.matrix() @ [x / z, y / z, 1.0]


@pytest.mark.parametrize("turn", range(4))
def test_the_pose_turns_with_the_picture(turn):
    stored = Camera("SIMPLE_PINHOLE", 400, 300, (250.0, 190.0, 160.0))
    lying = look_at(np.zeros(3), np.array([0.3, 2.0, 0.1]))
    point = np.array([0.7, 3.0, 0.4])
    upright = pixel(turned_camera(stored, turn), _upright(lying, turn), point)
    back = original_from_turned(400, 300, turn) @ upright
    assert back == pytest.approx(pixel(stored, lying, point))
