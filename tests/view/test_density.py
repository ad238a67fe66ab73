"""How large points have to be drawn."""

import numpy as np

from reloc.view.density import SMALLEST, point_spacing, size_octaves


def plane(step, count=40, x=0.0):
    a = np.arange(count) * step
    grid = np.stack(np.meshgrid(a + x, a, [0.0]), axis=-1).reshape(-1, 3)
    return np.random.default_rng(0).permutation(grid)


def test_the_spacing_is_the_distance_of_neighbours():
    np.testing.assert_allclose(point_spacing(plane(0.25)), 0.25)
    assert point_spacing(np.zeros((1, 3))) == 0


def test_points_twice_as_far_apart_are_drawn_twice_as_large():
    points = np.concatenate([plane(0.1, 80), plane(0.2, 40, x=20.0)])
    octaves = size_octaves(points, 0.1)
    fine, coarse = np.median(octaves[:6400]), np.median(octaves[6400:])
    np.testing.assert_allclose(coarse - fine, 1.0, atol=0.15)
    np.testing.assert_allclose(fine, -0.3, atol=0.15)


def test_points_that_coincide_are_no_error():
    assert size_octaves(np.zeros((5, 3)), 0.0).tolist() == [0.0] * 5
    assert size_octaves(np.zeros((500, 3)), 0.1).min() == SMALLEST
