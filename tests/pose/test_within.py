"""How probable it is that an error is within a bound."""

import numpy as np
import pytest

from reloc.maps.held_back import Bound
from reloc.pose.within import probability_within


def covariance_of(degrees, distance):
    return np.diag([np.radians(degrees) ** 2] * 3 + [distance**2] * 3)


@pytest.mark.parametrize("tight", ["distance", "degrees"])
def test_each_error_alone_has_the_share_of_a_ball_of_its_normal_distribution(tight):
    # Of a normal distribution in three dimensions 19.9 % lie within one standard deviation of each
    # coordinate, 73.9 % within two.
    for radius, share in ((1, 0.199), (2, 0.739)):
        bound = Bound(radius, 90.0) if tight == "distance" else Bound(99.0, radius)
        found = probability_within(bound, covariance_of(1.0, 1.0))
        assert found == pytest.approx(share, abs=0.02)


def test_errors_that_go_together_are_drawn_together():
    # Turned and shifted by one cause: within one bound is within the other.
    together = covariance_of(1.0, 1.0)
    for i in range(3):
        together[i, i + 3] = together[i + 3, i] = 0.999 * np.radians(1.0)
    bound = Bound(1.0, 1.0)
    assert probability_within(bound, together) == pytest.approx(0.199, abs=0.03)
    assert probability_within(bound, covariance_of(1.0, 1.0)) < 0.08


def test_the_unit_of_length_does_not_matter_and_a_wider_bound_is_no_less_probable():
    random = np.random.default_rng(1).normal(size=(6, 6))
    units = np.r_[np.ones(3), np.full(3, 1e6)]
    one = random @ random.T * 1e-4
    values = []
    for degrees in (0.5, 1.0, 2.0):
        here = probability_within(Bound(0.02 * degrees, degrees), one)
        there = probability_within(Bound(2e4 * degrees, degrees), one * np.outer(units, units))
        assert here == pytest.approx(there, abs=1e-3)
        values.append(here)
    assert 0 < values[0] < values[1] < values[2] < 1


def test_certain_errors_and_none_known():
    bound = Bound(0.1, 1.0)
    assert probability_within(bound, np.zeros((6, 6))) == 1.0
    assert probability_within(bound, None) == 0.0
    assert probability_within(bound, np.full((6, 6), np.inf)) == 0.0
