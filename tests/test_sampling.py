"""A few of many: the ends are kept, nothing comes twice."""

import numpy as np
import pytest

from reloc.sampling import even_picks, evenly


@pytest.mark.parametrize(("most", "picked"), [(0, []), (1, [0]), (3, [0, 4, 9]), (99, range(10))])
def test_items_are_spread_over_all(most: int, picked: list[int]) -> None:
    assert evenly("abcdefghij", most) == tuple("abcdefghij"[i] for i in picked)


def test_picks_are_distinct_and_of_nothing_there_are_none() -> None:
    for count, most in ((7, 5), (1000, 999), (3, 3)):
        picks = even_picks(count, most)
        assert len(np.unique(picks)) == len(picks) == most
        assert (picks[0], picks[-1]) == (0, count - 1)
    assert evenly([], 5) == ()
