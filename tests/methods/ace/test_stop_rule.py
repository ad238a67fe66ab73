"""When a training is told to end."""

import math

import pytest

from reloc.methods.ace.first_guesses import Guesses
from reloc.methods.ace.stop_rule import (
    FIRST_CHECK,
    GROWTH,
    MOST_MORE,
    STEPS_WHERE_SETTLED,
    StopRule,
)
from reloc.methods.until import Until


def rule_of(by_heads, final=None, **given):
    """A rule that sees frames whose poses are off by so much at its checks."""
    looks = iter(zip(by_heads, final or by_heads, strict=True))

    def look():
        by_heads, final = (tuple((e, 0.0) if e else None for e in es) for es in next(looks))
        return Guesses(by_heads, final, (False,) * len(final))

    return StopRule(look, depth=1.0, **given)


def checks_of(rule, most=30):
    """Checks until it ends, None if it never does."""
    try:
        return next(n for n in range(1, most + 1) if rule.reached())
    except StopIteration:
        return None


def test_checks_are_at_steps_that_grow_by_a_factor():
    rule = rule_of([[0.5]] * 3)
    at = [rule.next_check()]
    for _ in range(2):
        rule.reached()
        at.append(rule.next_check())
    assert at == [round(FIRST_CHECK * GROWTH**n) for n in range(3)]


def test_it_ends_when_good_guesses_become_no_better():
    falling = [[0.04 * 0.8**n] * 4 for n in range(8)]
    level = [[0.04 * 0.8**7] * 4] * 8
    assert checks_of(rule_of(falling + level)) == 11


def test_heads_without_good_guesses_go_on_as_long_as_they_improve():
    by_heads = [[1.0 * 0.8**n] * 4 for n in range(20)]
    landmarks = [[0.001] * 4] * 20
    ends = checks_of(rule_of(by_heads, landmarks))
    assert by_heads[ends - 1][0] <= 0.05 < by_heads[ends - 2][0]
    lost = [[None] * 4] * 20
    assert checks_of(rule_of(lost, landmarks)) == 4, "and no longer"


def test_half_are_enough_where_landmarks_are_sure_without_heads():
    by_heads = iter([0.2, 0.1, 0.04])
    settled = [True, True]

    def look():
        errors = ((next(by_heads), 0.0), None)
        return Guesses(errors, ((0.001, 0.0),) * 2, tuple(settled))

    assert checks_of(StopRule(look, depth=1.0)) == 3
    by_heads, settled[1] = iter([0.2, 0.1] + [0.04] * 9), False
    assert checks_of(StopRule(look, depth=1.0)) > 3, "the other one is lost"


def test_where_landmarks_are_sure_of_all_frames_heads_are_not_trained_for_long():
    by_heads = iter([1.0 * 0.8**n for n in range(20)])
    settled = [True, True]

    def look():
        return Guesses(((next(by_heads), 0.0),) * 2, ((0.001, 0.0),) * 2, tuple(settled))

    rule = StopRule(look, depth=1.0)
    ends = checks_of(rule)
    assert FIRST_CHECK * GROWTH ** (ends - 2) < STEPS_WHERE_SETTLED <= FIRST_CHECK * GROWTH**ends
    by_heads, settled[1] = iter([1.0 * 0.8**n for n in range(20)]), False
    assert checks_of(StopRule(look, depth=1.0)) > ends, "one is left to heads"


def test_one_bad_frame_of_ten_is_no_reason_to_go_on():
    frames = [[0.01] * 9 + [None]] * 9
    assert checks_of(rule_of(frames)) == 4


def test_what_is_asked_for_decides():
    falling = [[0.5 * 0.8**n] * 4 for n in range(20)]
    ends = checks_of(rule_of(falling, goal=Until.parsed("2cm 1deg").goal(extent=1, unit="metre")))
    assert falling[ends - 1][0] <= 0.02 < falling[ends - 2][0]


def test_without_frames_it_is_asked_once():
    rule = rule_of([[]])
    assert not rule.reached()
    assert rule.next_check() is None


def test_how_much_more_would_do_is_as_the_errors_fell():
    rule = rule_of([[0.05 * 1.44], [0.05 * 1.2]])
    rule.reached()
    assert rule.more() is None
    rule.reached()
    assert rule.more() == pytest.approx(1.2)
    rule = rule_of([[0.5], [0.5]])
    rule.reached(), rule.reached()
    assert rule.more() == MOST_MORE


def test_a_stored_state_goes_on():
    falling = [*([0.5 * 0.8**n] * 4 for n in range(20)), *[[0.01] * 4] * 10]
    whole, begun = rule_of(falling), rule_of(falling)
    for _ in range(5):
        begun.reached()
    resumed = rule_of(falling[5:])
    resumed.load_state_dict(begun.state_dict())
    assert resumed.next_check() == begun.next_check()
    assert checks_of(resumed) == checks_of(whole) - 5
    for state in ({}, {"ended": 1, "checks": []}, {"ended": False, "checks": [[1, 2]]}):
        with pytest.raises((KeyError, ValueError)):
            resumed.load_state_dict(state)
    assert math.isfinite(resumed.checks[0].by_heads)
