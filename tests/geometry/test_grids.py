"""Rays of grids are those of their pixels, whoever asks again."""

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.geometry.grids import grid_pixels, grid_rays, ray_box

PLAIN = Camera.pinhole(width=64, height=48, fx=50)
BENT = Camera("RADIAL", 64, 48, (50.0, 32.0, 24.0, 0.1, -0.05))
FIRST, STEP, SHAPE = np.array([2.0, 3.0]), np.array([4.0, 5.0]), (9, 15)


def test_pixels_go_row_by_row():
    pixels = grid_pixels(FIRST, STEP, (2, 3))
    assert pixels.tolist() == [[2, 3], [6, 3], [10, 3], [2, 8], [6, 8], [10, 8]]


@pytest.mark.parametrize("camera", [PLAIN, BENT])
def test_rays_are_those_of_the_pixels(camera):
    expected = camera.rays(grid_pixels(FIRST, STEP, SHAPE))
    for _ in range(2):
        assert np.array_equal(grid_rays(camera, FIRST, STEP, SHAPE), expected)


def test_kept_rays_cannot_be_spoiled():
    rays = grid_rays(BENT, FIRST, STEP, SHAPE)
    with pytest.raises(ValueError, match="read-only"):
        rays[0] = 0


def test_other_grids_and_cameras_have_other_rays():
    rays = grid_rays(BENT, FIRST, STEP, SHAPE)
    other = Camera("RADIAL", 64, 48, (50.0, 32.0, 24.0, 0.2, -0.05))
    assert not np.array_equal(grid_rays(BENT, FIRST + 1, STEP, SHAPE), rays)
    assert not np.array_equal(grid_rays(other, FIRST, STEP, SHAPE), rays)


def test_the_box_tells_lenses_that_fold():
    low, high = BENT.ray_bounds()
    box = ray_box(BENT)
    assert np.array_equal(box.low, low)
    assert np.array_equal(box.high, high)
    assert box.whole
    assert ray_box(PLAIN).whole
    for k in (-0.3, -2.0):
        assert not ray_box(Camera("SIMPLE_RADIAL", 64, 48, (30.0, 32.0, 24.0, k))).whole
