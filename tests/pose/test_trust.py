"""When a pose is believed."""

import numpy as np
import pytest

from reloc.pose.trust import EVEN_SHARE, confidence


def errors_with(share, *, count=4800, near=3.0):
    errors = np.full(count, np.inf)
    errors[: round(share * count)] = near
    return errors


def test_belief_rises_with_the_share_of_agreeing_cells():
    shares = [0.0, 0.01, 0.5 * EVEN_SHARE, EVEN_SHARE, 2 * EVEN_SHARE, 0.5, 1.0]
    values = [confidence(errors_with(share)) for share in shares]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert values[3] == pytest.approx(0.5, abs=0.02)
    assert values[-1] > 0.99
    assert all(0 <= value <= 1 for value in values)


def test_smaller_views_take_closer_agreement():
    errors = errors_with(0.5, near=5.0)
    assert confidence(errors, short_side=480) > 0.9
    assert confidence(errors, short_side=120) == 0.0


def test_no_cells_give_no_belief():
    assert confidence(np.zeros(0)) == 0.0
