"""How probable it is that an error is within a bound."""

import numpy as np
import pytest

from reloc.maps.held_back import Bound
from reloc.pose.within import CORE, TAILS, probability_within


def covariance_of(degrees, distance):
    return np.diag([np.radians(degrees) ** 2] * 3 + [distance**2] * 3)


def drawn(count, covariance):
    """The plain reference: independent draws of the distribution, one number after the other."""
    rng = np.random.default_rng(7)
    normal = rng.multivariate_normal(np.zeros(6), covariance, count)
    return normal * np.sqrt(CORE * TAILS / rng.chisquare(TAILS, (count, 1)))


@pytest.mark.parametrize("tight", ["distance", "degrees", "both"])
@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0])
def test_it_is_the_share_of_errors_of_that_distribution(tight, radius):
    bound = Bound(radius if tight != "degrees" else 99.0, radius if tight != "distance" else 170.0)
    # Turned and shifted by one cause.
    together = covariance_of(1.0, 1.0)
    for i in range(3):
        together[i, i + 3] = together[i + 3, i] = 0.8 * np.radians(1.0)
    errors = drawn(40_000, together)
    inside = np.linalg.norm(errors[:, 3:], axis=1) <= bound.distance
    inside &= np.degrees(np.linalg.norm(errors[:, :3], axis=1)) <= bound.degrees
    assert probability_within(bound, together) == pytest.approx(inside.mean(), abs=0.03)


def test_it_is_the_same_number_each_time():
    bound = Bound(1.0, 1.0)
    values = {probability_within(bound, covariance_of(1.0, 1.0)) for _ in range(3)}
    assert len(values) == 1


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
