"""How probable it is that a pose is right, and how far off it may be, from what an image says.

A pose may be wrong altogether, or right but not exact. The first is judged by a logistic model of
few features, of which more is never worse; the second by a covariance whose size was measured. The
constants were fitted by `benchmarks/calibration.py` to the places and maps that it names.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.pose.error_bound import ErrorBound, probability_within
from reloc.pose.evidence import CellEvidence, Evidence

Array = NDArray[np.float64]

# Shares of cells and of landmarks in view that agree with a pose by chance, about.
CHANCE_OF_CELLS = 0.02
CHANCE_OF_LANDMARKS = 0.007
# Evidence beyond these is as good as it gets: no more of it was there to learn from.
LEAST_SHARE, MOST_LANDMARKS = 0.002, 200.0


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
INTERCEPTS = ("heads", "landmarks alone", "contradicted")
CONSTANTS = Constants(
    weights={
        "heads": -4.0,
        "landmarks alone": -4.0,
        "contradicted": -math.log(2),
        "cells": 2.5,
        "cells keep": 0.5,
        "close cells": 0.5,
        "spread of cells": 0.5,
        "landmarks": 2.0,
        "landmarks in view": 0.5,
        "spread of landmarks": 1.0,
    },
    cells=Variances({"one": 2.0, "cells": -0.7, "close cells": 0.0, "error": 0.5}, (1e-4, 1e-4)),
    landmarks=Variances(
        {"one": 0.5, "landmarks": 0.0, "deviation": 0.0, "spread": -0.3}, (1e-4, 1e-4)
    ),
)


def judged(evidence: Evidence, bound: ErrorBound, constants: Constants = CONSTANTS) -> Judgement:
    """Certainty, covariance and confidence of a pose.

    Args:
        evidence: of it.
        bound: on its error.
        constants: of the model.
    """
    certainty = evidence.reliability * _logistic(_weighted(features(evidence), constants.weights))
    covariance = calibrated_covariance(evidence, constants)
    return Judgement(certainty, covariance, certainty * probability_within(bound, covariance))


def features(evidence: Evidence) -> dict[str, float]:
    """What the log-odds that a pose is right are a sum of, but for weights."""
    cells, seen = evidence.cells, evidence.landmarks
    found = {
        "heads": float(cells is not None),
        "landmarks alone": float(cells is None),
        "contradicted": float(evidence.contradicted),
    }
    if cells is not None:
        share = max(cells.share, LEAST_SHARE)
        found["cells"] = math.log(share / CHANCE_OF_CELLS)
        found["cells keep"] = math.log(share / max(cells.own_share, share))
        found["close cells"] = _closeness(cells)
        found["spread of cells"] = math.sqrt(cells.spread)
    if seen is not None:
        beyond = max(0.0, seen.agreeing - CHANCE_OF_LANDMARKS * seen.visible)
        found["landmarks"] = math.log1p(min(beyond, MOST_LANDMARKS) / 10)
        found["landmarks in view"] = math.log1p(20 * beyond / max(1, seen.visible))
        found["spread of landmarks"] = math.sqrt(seen.spread)
    return found


def calibrated_covariance(evidence: Evidence, constants: Constants = CONSTANTS) -> Array | None:
    """The covariance (6, 6) of a right pose; None where its correspondences leave it open."""
    if evidence.covariance is None:
        return None
    own = constants.landmarks if evidence.by_landmarks else constants.cells
    factor = math.exp(_weighted(variance_features(evidence), own.weights))
    turn, shift = own.floors[0], own.floors[1] * evidence.depth
    return factor * evidence.covariance + np.diag([turn**2] * 3 + [shift**2] * 3)


def variance_features(evidence: Evidence) -> dict[str, float]:
    """What the logarithm of the factor of a variance is a sum of, but for weights."""
    found = {"one": 1.0}
    if evidence.by_landmarks and (seen := evidence.landmarks) is not None:
        found["landmarks"] = math.log(max(seen.agreeing, 4) / 50)
        found["deviation"] = math.log(max(seen.deviation, 0.1))
        found["spread"] = math.log(max(seen.spread, 1 / 48))
    elif (cells := evidence.cells) is not None:
        found["cells"] = math.log(max(cells.share, LEAST_SHARE))
        found["close cells"] = _closeness(cells)
        found["error"] = math.log(min(max(cells.error, 1.0), 1000.0) / 10)
    return found


def _closeness(cells: CellEvidence) -> float:
    """How many of the agreeing cells agree closely, 0 to 1."""
    return cells.close_share / cells.share if cells.share else 0.0


def _weighted(found: dict[str, float], weights: dict[str, float]) -> float:
    return sum(weights[name] * value for name, value in found.items())


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0
