"""Fits the constants of `reloc.pose.trust` to samples of `calibration.py`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.geometry import rotation_angle_deg
from reloc.maps.held_back import Bound, HeldBack
from reloc.pose import trust
from reloc.pose.evidence import CellEvidence, Evidence, LandmarkEvidence
from reloc.pose.trust import CONSTANTS, Constants, Variances
from reloc.pose.within import drawn_errors

Array = NDArray[np.float64]

# Beyond so many bounds a pose is taken for another one, not for an inexact one.
OTHER_POSE = 3.0
# Bounds that the log-odds are fitted for, in those that confidence is stated for. A wrong pose is
# wrong by any bound, an inexact one is right by a wide one.
FACTORS = (0.5, 1.0, 4.0, 16.0)
# The share of a chi-squared distribution with six degrees of freedom below a normalised error.
CHI_SQUARED = {0.5: 5.348, 0.9: 10.645, 0.99: 16.812}
# Strength of the prior that weights are small, in samples.
PRIOR = 1.0
# Share of right poses that the normal distribution does not explain, and how wide these lie in
# radians and in typical depths.
ODD, WIDE = 0.01, 0.5


@dataclass(frozen=True, eq=False)
class Sample:
    """A pose and what is known of it.

    Attributes:
        place, group, map, kind, image: as ``calibration.py`` writes them.
        bound: that confidence is stated for.
        motion: (6,) from the pose to the true one; None where no pose is right.
        evidence: of the pose; None where none was found.
    """

    place: str
    group: str
    map: str
    kind: str
    image: str
    bound: Bound
    motion: Array | None
    evidence: Evidence | None

    @property
    def distance(self) -> float:
        """The larger of both errors in bounds; infinite where no pose is right."""
        if self.motion is None:
            return np.inf
        turn, shift = np.linalg.norm(self.motion[:3]), np.linalg.norm(self.motion[3:])
        return float(max(np.degrees(turn) / self.bound.degrees, shift / self.bound.distance))

    @property
    def right(self) -> bool:
        """Whether the error is within the bound."""
        return self.distance <= 1


def load_samples(folder: Path) -> list[Sample]:
    """All samples of a folder."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.open()]
    return [_sample(json.loads(line)) for line in lines if line.endswith("}\n")]


def _sample(row: dict[str, Any]) -> Sample:
    motion = None
    if row["motion"] is not None:
        moved = np.array(row["motion"], np.float64)
        motion = np.r_[_vector(moved[:, :3]), moved[:, 3]]
    return Sample(
        place=row["place"],
        group=row["group"],
        map=row["map"],
        kind=row["kind"],
        image=row["image"],
        bound=Bound.usual(unit=row["unit"], extent=row["extent"]),
        motion=motion,
        evidence=None if row["evidence"] is None else _evidence(row["evidence"]),
    )


def _evidence(row: dict[str, Any]) -> Evidence:
    cells, landmarks, covariance = row["cells"], row["landmarks"], row["covariance"]
    measured = row.get("held_back")
    return Evidence(
        **row
        | {
            "cells": None if cells is None else CellEvidence(**cells),
            "landmarks": None if landmarks is None else LandmarkEvidence(**landmarks),
            "covariance": None if covariance is None else np.array(covariance),
            "held_back": None if measured is None else HeldBack(**measured),
        }
    )


def _vector(rotation: Array) -> Array:
    """The rotation vector (3,) of a rotation."""
    axis = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    length = np.linalg.norm(axis)
    angle = np.radians(rotation_angle_deg(rotation, np.eye(3)))
    return axis * (angle / length if length > 1e-12 else 0.5)


def fitted(samples: Sequence[Sample]) -> Constants:
    """The constants of some samples."""
    known = [s for s in samples if s.evidence is not None]
    cells = _fitted_variances(known, by_landmarks=False)
    landmarks = _fitted_variances(known, by_landmarks=True)
    return _with_fitted_weights(known, replace(CONSTANTS, cells=cells, landmarks=landmarks))


def normalized_error(sample: Sample, covariance: Array | None) -> float:
    """NEES: the squared error in units of the covariance; NaN without either."""
    if covariance is None or sample.motion is None:
        return float("nan")
    return float(sample.motion @ np.linalg.solve(covariance, sample.motion))


def _fitted_variances(samples: Sequence[Sample], *, by_landmarks: bool) -> Variances:
    """How much larger covariances are than the correspondences say.

    Maximum likelihood of a normal distribution with a few odd ones.
    """
    own = CONSTANTS.landmarks if by_landmarks else CONSTANTS.cells
    names = list(own.weights)
    rows, covariances, motions, medians = [], [], [], []
    used = []
    for s in samples:
        e = s.evidence
        if e is None or e.by_landmarks != by_landmarks or e.covariance is None:
            continue
        if s.motion is None or s.distance > OTHER_POSE:
            continue
        units = np.array([1.0] * 3 + [e.depth] * 3)
        found = trust.variance_features(e)
        rows.append([found[name] for name in names])
        covariances.append(e.covariance / np.outer(units, units))
        used.append(s)
        motions.append(s.motion / units)
        medians.append(np.repeat(trust.held_back_medians(e), 3) / units)
    features, spread, motion, median = map(_tensor, (rows, covariances, motions, medians))
    weights = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    least = _tensor([-8.0, -8.0]).requires_grad_(True)
    optimizer = torch.optim.LBFGS([weights, least], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        floors = least.exp().repeat_interleave(3) ** 2 + median**2
        spreads = (features @ weights).exp()[:, None, None] * spread + torch.diag_embed(floors)
        root = torch.linalg.cholesky(spreads)
        white = torch.linalg.solve_triangular(root, motion[..., None], upper=False)[..., 0]
        logs = 2 * torch.diagonal(root, dim1=1, dim2=2).log().sum(1)
        usual = -((white**2).sum(1) + logs) / 2
        odd = -((motion / WIDE) ** 2).sum(1) / 2 - 6 * np.log(WIDE)
        likely = torch.logaddexp(usual + np.log(1 - ODD), odd + np.log(ODD))
        total = -likely.sum() + PRIOR * (weights[1:] ** 2).sum() + 1e-3 * (least**2).sum()
        total = total / len(motion)
        total.backward()
        return total

    optimizer.step(loss)
    turn, shift = least.detach().exp().tolist()
    found = dict(zip(names, weights.detach().tolist(), strict=True))
    return _covering(Variances(found, (turn, shift)), used)


def _covering(variances: Variances, samples: Sequence[Sample]) -> Variances:
    """The same, as much larger or smaller as brings all shares in ellipsoids nearest to theirs.

    Likelihood alone is led by the few that are far out.
    """
    weights = variances.weights
    for measured in (False, True):
        some = [s for s in samples if _is_measured(s) == measured]
        if not some:
            continue
        shares = {
            step: _miss(_with_weights(variances, _stepped(weights, step, measured)), some)
            for step in np.linspace(-1.5, 1.5, 31).tolist()
        }
        weights = _stepped(weights, min(shares, key=lambda step: shares[step]), measured)
    return _with_weights(variances, weights)


def _with_weights(variances: Variances, weights: dict[str, float]) -> Variances:
    return Variances(weights, variances.floors)


def _stepped(weights: dict[str, float], step: float, measured: bool) -> dict[str, float]:
    """Weights that make variances of maps that were measured, or were not, larger."""
    if measured:
        return weights | {"measured": weights["measured"] + step}
    return weights | {"one": weights["one"] + step, "measured": weights["measured"] - step}


def _is_measured(sample: Sample) -> bool:
    return sample.evidence is not None and any(trust.held_back_medians(sample.evidence))


def _miss(variances: Variances, samples: Sequence[Sample]) -> float:
    """How far the share in an ellipsoid is from what it should be, at most."""
    constants = replace(CONSTANTS, cells=variances, landmarks=variances)
    errors = np.array(
        [
            normalized_error(s, trust.calibrated_covariance(s.evidence, constants))
            for s in samples
            if s.evidence is not None
        ]
    )
    return max(abs(float((errors < q).mean()) - p) for p, q in CHI_SQUARED.items())


def _with_fitted_weights(samples: Sequence[Sample], constants: Constants) -> Constants:
    """The constants with the log-odds by which the probabilities of being within bounds fit.

    More of a feature that speaks for a pose is never worse.
    """
    names = list(CONSTANTS.weights)
    rows, within, right = [], [], []
    for s in samples:
        assert s.evidence is not None
        found = trust.features(s.evidence)
        rows.append([found.get(name, 0.0) for name in names])
        covariance = trust.calibrated_covariance(s.evidence, constants)
        within.append(s.evidence.reliability * _within_factors(covariance, s.bound))
        right.append([float(s.distance <= factor) for factor in FACTORS])
    features, exact, truth = map(_tensor, (rows, within, right))
    free = torch.tensor([name in trust.INTERCEPTS for name in names])
    start = _tensor([CONSTANTS.weights[name] for name in names])
    raw = torch.where(free, start, start.clamp(min=0.05).expm1().log()).requires_grad_(True)
    optimizer = torch.optim.LBFGS([raw], max_iter=100, line_search_fn="strong_wolfe")

    def weights() -> torch.Tensor:
        return torch.where(free, raw, torch.nn.functional.softplus(raw))

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        likely = (torch.sigmoid(features @ weights())[:, None] * exact).clamp(1e-9, 1 - 1e-9)
        likelihood = truth * likely.log() + (1 - truth) * (1 - likely).log()
        total = -likelihood.sum() + PRIOR * (weights() ** 2).sum() / 10
        total = total / len(truth)
        total.backward()
        return total

    optimizer.step(loss)
    return replace(constants, weights=dict(zip(names, weights().detach().tolist(), strict=True)))


def _within_factors(covariance: Array | None, bound: Bound) -> Array:
    """Probabilities of being within all bounds that the log-odds are fitted for."""
    if covariance is None:
        return np.zeros(len(FACTORS))
    turns, shifts = drawn_errors(covariance)
    off = np.maximum(np.degrees(turns) / bound.degrees, shifts / bound.distance)
    return (off[:, None] <= FACTORS).mean(axis=0)


def _tensor(values: Any) -> torch.Tensor:
    return torch.tensor(np.array(values), dtype=torch.float64)
