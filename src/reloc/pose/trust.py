"""How probable it is that a pose is right, and how far off it may be, from what an image says.

A pose may be wrong altogether, or right but not exact. The first is judged by a logistic model of
few features, of which more is never worse; the second by a covariance whose size was measured. The
constants were fitted by `benchmarks/calibration.py` to the places and maps that it names.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.maps.held_back import Bound, HeldBack
from reloc.pose.evidence import CHANCE_OF_LANDMARKS, Evidence, LandmarkEvidence
from reloc.pose.within import probability_within

Array = NDArray[np.float64]

# Share of cells that agree with a pose by chance, about.
CHANCE_OF_CELLS = 0.02
# Root mean square of errors that lie anywhere below the limit of 4 pixels.
ERROR_BY_CHANCE = 2.83
# A smaller share of cells says no more against a pose.
LEAST_SHARE = 0.002
# A share of so few landmarks in view says little.
FEW_LANDMARKS = 100
# A smaller share of landmarks in view that others surround says no more against a pose.
LEAST_ENCLOSED = 0.05


@dataclass(frozen=True)
class Judgement:
    """What is concluded from evidence.

    Attributes:
        certainty: probability that the pose is the right one, however exact.
        covariance: (6, 6) of the right pose around it, as that of ``Estimate``.
        confidence: probability that it is off by no more than the bound.
    """

    certainty: float
    covariance: Array | None
    confidence: float


@dataclass(frozen=True)
class Variances:
    """How much larger the covariance of a pose is than its own correspondences say.

    Attributes:
        weights: of the logarithm of the factor, for one more of each feature.
        floors: standard deviations that no pose is better than, in radians and in the depth of
            what it was found by.
    """

    weights: dict[str, float]
    floors: tuple[float, float]


@dataclass(frozen=True)
class Constants:
    """What was fitted.

    Attributes:
        weights: log-odds that a pose is right, for one more of each feature.
        cells: of poses by heads.
        landmarks: of poses by landmarks.
    """

    weights: dict[str, float]
    cells: Variances
    landmarks: Variances


# Weights that may have any sign: of all others, more speaks for a pose.
INTERCEPTS = ("heads", "landmarks alone")
# Of two runs of benchmarks/calibration.py on 28 November 2026. Weights and what is of cells are of
# 1651 poses of 13 places. The variances of landmarks are of 1886 poses of the same places, after
# poses were refined on the landmarks that frames beside them show: docs/benchmarks.md tells of it.
# Likelihood alone would have "no picture" count less: to believe a picture is worse than to doubt a
# place.
CONSTANTS = Constants(
    weights={
        "heads": -7.35,
        "landmarks alone": -3.25,
        "cells": 0.627,
        "spread of cells": 11.5,
        "landmarks": 6.35,
        "no picture": 8.0,
    },
    cells=Variances(
        {"one": -0.12, "measured": -0.00496, "closed form": 0.937}, floors=(1.63e-05, 0.000179)
    ),
    landmarks=Variances(
        {"one": -0.861, "measured": -0.900, "landmarks": 0.690, "spread": -2.16, "fit": -0.520},
        floors=(3.65e-06, 3.24e-06),
    ),
)


def judged(evidence: Evidence, bound: Bound, constants: Constants = CONSTANTS) -> Judgement:
    """Certainty, covariance and confidence of a pose.

    Args:
        evidence: of it.
        bound: on its error.
        constants: of the model.
    """
    log_odds = _weighted(features(evidence), constants.weights)
    certainty = evidence.reliability * _logistic(log_odds)
    if evidence.contradicted:
        # One of two poses is wrong, and nothing says which: the odds of either are halved.
        certainty /= 2 - certainty
    covariance = calibrated_covariance(evidence, constants)
    return Judgement(certainty, covariance, certainty * probability_within(bound, covariance))


def features(evidence: Evidence) -> dict[str, float]:
    """What the log-odds that a pose is right are a sum of, but for weights."""
    cells, seen = evidence.cells, evidence.landmarks
    if evidence.by_landmarks and _knows_little(evidence.held_back):
        cells = None
    found = {
        "heads": float(cells is not None),
        "landmarks alone": float(cells is None),
    }
    if cells is not None:
        share = max(cells.share, LEAST_SHARE)
        found["cells"] = math.log(share / CHANCE_OF_CELLS)
        found["spread of cells"] = math.sqrt(cells.spread)
    if seen is not None:
        beyond = max(0.0, seen.agreeing - CHANCE_OF_LANDMARKS * seen.visible)
        share = beyond / (seen.visible + FEW_LANDMARKS)
        found["landmarks"] = math.log1p(20 * share)
    if evidence.by_landmarks and seen is not None:
        found["no picture"] = -_like_a_picture(seen, evidence.remoteness)
    return found


def _like_a_picture(seen: LandmarkEvidence, remoteness: float) -> float:
    """How much a pose is like that by a poster or a screen that shows the place.

    A picture shows no landmarks beyond its edges, and the pose by it is behind where it was taken.
    What hides much of the place does the first alone, a photo from afar the second alone.
    """
    return -math.log(max(seen.enclosed, LEAST_ENCLOSED)) * min(remoteness, 1.0)


def _knows_little(measured: HeldBack | None) -> bool:
    """Whether heads find too few of the frames held back for their silence to mean anything."""
    if measured is None:
        return False
    return 2 * sum(error is not None for error in measured.by_heads) < measured.frames


def calibrated_covariance(evidence: Evidence, constants: Constants = CONSTANTS) -> Array | None:
    """The covariance (6, 6) of a right pose; None where its correspondences leave it open."""
    if evidence.covariance is None:
        return None
    own = constants.landmarks if evidence.by_landmarks else constants.cells
    factor = math.exp(_weighted(variance_features(evidence), own.weights))
    # Residuals do not show what a whole map has wrong, nor poses that were mapped wrongly.
    medians = held_back_medians(evidence)
    turn, shift = np.hypot((own.floors[0], own.floors[1] * evidence.depth), medians)
    return factor * evidence.covariance + np.diag([turn**2] * 3 + [shift**2] * 3)


def held_back_medians(evidence: Evidence) -> tuple[float, float]:
    """Of the frames that the map was measured on and that it found: radians and scene units.

    They are 0 where there is no such frame, and of heads alone where these gave the pose.
    """
    if evidence.held_back is None:
        return 0.0, 0.0
    measured = evidence.held_back
    errors = measured.errors if evidence.by_landmarks else measured.by_heads
    found = [error for error in errors if error is not None]
    if not found:
        return 0.0, 0.0
    distance, degrees = np.median(found, axis=0)
    return math.radians(degrees), float(distance)


def variance_features(evidence: Evidence) -> dict[str, float]:
    """What the logarithm of the factor of a variance is a sum of, but for weights."""
    found = {"one": 1.0, "measured": float(any(held_back_medians(evidence)))}
    if evidence.by_landmarks and (seen := evidence.landmarks) is not None:
        found["landmarks"] = math.log(max(seen.agreeing, 4) / 50)
        found["spread"] = math.log(max(seen.spread, 1 / 48))
        found["fit"] = _fit(seen)
    else:
        found["closed form"] = float(evidence.closed_form)
    return found


def _fit(seen: LandmarkEvidence) -> float:
    """How well agreeing landmarks fit, 0 where they do as by chance, some 3 where they do well."""
    return 4 * math.log(ERROR_BY_CHANCE / min(max(seen.error, 0.5), ERROR_BY_CHANCE))


def _weighted(found: dict[str, float], weights: dict[str, float]) -> float:
    return sum(weights[name] * value for name, value in found.items())


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0
