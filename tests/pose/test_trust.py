"""What is concluded from evidence."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.maps.held_back import Bound, HeldBack
from reloc.pose.evidence import CellEvidence, Evidence, LandmarkEvidence
from reloc.pose.trust import calibrated_covariance, features, held_back_medians, judged
from reloc.pose.within import probability_within

BOUND = Bound(0.25, 5.0)
EXACT = np.diag([1e-4] * 3 + [1e-3] * 3) ** 2


def heads(share, *, landmarks=None, **changes):
    cells = CellEvidence(share, min(1.0, 2 * share))
    return replace(Evidence(cells, landmarks, False, False, EXACT, 3.0), **changes)


def landmarks(agreeing, *, visible=1000, cells=None, **changes):
    seen = LandmarkEvidence(agreeing, visible, min(1.0, agreeing / 100), 1.0)
    return replace(Evidence(cells, seen, True, False, EXACT, 3.0), **changes)


def confidences(cases):
    return [judged(case, BOUND).confidence for case in cases]


def test_belief_rises_with_what_agrees():
    for cases in (
        [heads(share) for share in (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)],
        [landmarks(count, cells=heads(0.01).cells) for count in (0, 5, 15, 100, 500)],
        [heads(0.03, landmarks=LandmarkEvidence(n, 500, n / 500)) for n in (0, 5, 20, 300)],
    ):
        values = confidences(cases)
        assert values == sorted(values)
        assert all(0 <= value <= 1 for value in values)
        assert values[0] < 0.05
        assert values[-1] > 0.9


def test_what_both_see_is_surer_than_what_either_sees():
    cells = heads(0.1).cells
    assert cells is not None
    both = judged(landmarks(25, cells=cells), BOUND).certainty
    assert both > judged(landmarks(25, cells=heads(0.005).cells), BOUND).certainty
    assert both > judged(heads(0.1), BOUND).certainty


def test_chance_agrees_with_anything():
    for case in (heads(0.025), landmarks(10, visible=1500, cells=heads(0.02).cells)):
        assert judged(case, BOUND).confidence < 0.25


def test_contradiction_halves_the_odds_and_reliability_is_a_factor():
    sure = judged(heads(0.2), BOUND).certainty
    doubted = judged(heads(0.2, contradicted=True), BOUND).certainty
    assert doubted / (1 - doubted) == pytest.approx(sure / (1 - sure) / 2)
    assert judged(heads(0.2, reliability=0.4), BOUND).certainty == pytest.approx(0.4 * sure)


def test_confidence_is_certainty_times_the_probability_of_being_exact():
    found = judged(heads(0.2, covariance=EXACT * 2e4), BOUND)
    exact = probability_within(BOUND, found.covariance)
    assert 0.1 < exact < 0.95
    assert found.confidence == pytest.approx(found.certainty * exact)


def test_a_pose_that_is_open_in_a_direction_is_not_believed():
    found = judged(heads(1.0, covariance=None), BOUND)
    assert found.covariance is None
    assert found.confidence == 0.0
    assert found.certainty > 0.9


def spread(case):
    return np.sqrt(np.trace(calibrated_covariance(case)))


def test_poses_may_be_farther_off_than_their_own_correspondences_say():
    for case in (heads(0.5), landmarks(200)):
        # No number of them makes a pose exact to the last digit.
        assert spread(replace(case, covariance=np.zeros((6, 6)))) > 0
        larger = replace(case, covariance=100 * EXACT)
        assert spread(larger) == pytest.approx(10 * spread(case), rel=0.3)
    assert spread(heads(0.5, closed_form=True)) > 1.3 * spread(heads(0.5))
    blurred = LandmarkEvidence(200, 1000, 1.0, 2.5)
    assert spread(landmarks(200, landmarks=blurred)) > 1.3 * spread(landmarks(200))


def test_what_a_map_was_measured_to_err_counts():
    errors = ((0.3, 1.0), (0.2, 3.0), None, (0.1, 2.0))
    lost = (None,) * 4
    ways = HeldBack("held back", lost, errors), HeldBack("held back", errors, lost)
    for case, measured, unmeasured in (
        (heads(0.5), ways[0], ways[1]),
        (landmarks(200), ways[1], ways[0]),
    ):
        assert held_back_medians(replace(case, held_back=measured)) == pytest.approx(
            (np.radians(2.0), 0.2)
        )
        assert spread(replace(case, held_back=measured)) > 2 * spread(case)
        assert spread(replace(case, held_back=unmeasured)) == spread(case)


def test_heads_that_know_little_contradict_no_landmarks():
    silent = landmarks(60, cells=heads(0.005).cells)
    for by_heads, heard in (((None, None, (0.1, 1.0)), False), (((0.1, 1.0),) * 3, True)):
        measured = HeldBack("held back", ((0.1, 1.0),) * 3, by_heads)
        assert ("cells" in features(replace(silent, held_back=measured))) == heard


def test_heads_that_were_not_asked_have_no_features():
    assert not {"heads", "cells"} & {k for k, v in features(landmarks(50)).items() if v}


def test_landmarks_in_a_part_of_the_image_alone_may_be_those_of_a_picture():
    whole = landmarks(100, cells=heads(0.05).cells)
    assert whole.landmarks is not None
    values = [
        judged(
            replace(
                whole, landmarks=replace(whole.landmarks, enclosed=share), remoteness=remoteness
            ),
            BOUND,
        ).confidence
        for share, remoteness in ((0.0, 0.5), (0.2, 0.5), (0.2, 0.1), (1.0, 0.1))
    ]
    assert values == sorted(values)
    assert values[0] < values[-1] / 2
