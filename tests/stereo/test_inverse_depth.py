"""Looking up inverse depth between its samples."""

import numpy as np
import pytest

from reloc.stereo import InverseDepth


def grid(values):
    return InverseDepth(np.asarray(values, np.float32), np.array([8.0, 4.0]), np.array([16.0, 8.0]))


def test_it_is_linear_between_samples_of_one_surface():
    slope = grid([[1.0, 1.08], [1.04, 1.12]])
    found = slope.at(np.array([[8, 4], [24, 4], [16, 4], [16, 8], [8, 12]], float))
    np.testing.assert_allclose(found, [1.0, 1.08, 1.04, 1.06, 1.04], rtol=1e-6)


def test_across_an_edge_it_is_one_side_or_the_other():
    edge = grid([[1.0, 1.3], [1.0, 1.3]])
    found = edge.at(np.array([[14, 8], [18, 8]], float))
    np.testing.assert_allclose(found, [1.0, 1.3], rtol=1e-6)


def test_over_a_cliff_nothing_is_known():
    assert np.isnan(grid([[1.0, 2.0], [1.0, 2.0]]).at(np.array([[14.0, 8.0]]))).all()


def test_beside_a_gap_the_nearest_sample_counts():
    gap = grid([[1.0, np.nan], [1.0, np.nan]])
    near, far = gap.at(np.array([[12.0, 6.0], [20.0, 6.0]]))
    assert near == 1.0
    assert np.isnan(far)


def test_beyond_the_border_the_outermost_sample_counts():
    assert grid([[1.0, 1.1], [1.0, 1.1]]).at(np.array([[-50.0, 400.0]])) == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1)])
def test_a_grid_may_be_a_line_or_a_point(shape):
    flat = grid(np.full(shape, 0.5))
    np.testing.assert_allclose(flat.at(np.array([[8.0, 4.0], [30.0, 30.0]])), 0.5)


def test_gaps_are_filled_from_around_them():
    values = np.full((12, 12), 0.5, np.float32)
    values[:, 6:] = 1.0
    holed = values.copy()
    holed[2:5, 1:4] = np.nan
    holed[7:9, 9:11] = np.nan
    filled = grid(holed).filled
    np.testing.assert_allclose(filled[2:5, 1:3], 0.5, atol=0.06)
    np.testing.assert_allclose(filled[7:9, 9:11], 1.0, atol=0.06)
    np.testing.assert_array_equal(filled[np.isfinite(holed)], values[np.isfinite(holed)])


def test_where_nothing_is_known_filling_still_gives_numbers():
    assert np.isfinite(grid(np.full((3, 3), np.nan)).filled).all()
