"""Fitting the ridge head: to viewing rays alone, or to known coordinates.

The distance of a predicted point to its viewing ray is linear in the head, so each round is a
least-squares problem. A distance in space becomes pixels when it is weighted by the inverse depth
of the prediction of the round before; predictions that still miss by more than the round's scale
count ever less (Geman-McClure). Behind or very near to a camera the distance to a ray means
nothing: such predictions are drawn to the scene's typical depth along it instead, and all are so
a little, which settles what the rays leave open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reloc.mapping.ridge.solve import Design, Metric, solve

# In units of the scene scale.
MIN_DEPTH = 0.1
DEPTH_BOUNDS = (0.2, 20.0)


@dataclass(frozen=True)
class Observations:
    """What mapping features tell: N rows, all in one dtype, lengths in units of the scene scale.

    Attributes:
        indices: (N, k) int64 anchors that respond to a feature.
        weights: (N, k) their responses.
        rays: (N, 3) unit viewing rays, world axes.
        centres: (N, 3) camera centres, relative to the map's origin.
        focals: (N,) pixels of the view per unit at z = 1.
        frames: (N,) int64 number of the frame.
        coordinates: (N, 3) known scene coordinates, relative to the map's origin, or None.
    """

    indices: Tensor
    weights: Tensor
    rays: Tensor
    centres: Tensor
    focals: Tensor
    frames: Tensor
    coordinates: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rays)

    def design(self, anchors: int) -> Design:
        """The linear map from the points of so many anchors to predictions."""
        return Design(self.indices, self.weights, anchors=anchors)

    def rows(self, picks: Tensor) -> "Observations":
        """Some rows, by number or by a mask (N,)."""
        known = self.coordinates
        return Observations(
            self.indices[picks],
            self.weights[picks],
            self.rays[picks],
            self.centres[picks],
            self.focals[picks],
            self.frames[picks],
            None if known is None else known[picks],
        )

    @staticmethod
    def joined(parts: "Sequence[Observations]") -> "Observations":
        """Observations of one kind in one."""
        known = [part.coordinates for part in parts if part.coordinates is not None]
        return Observations(
            torch.cat([part.indices for part in parts]),
            torch.cat([part.weights for part in parts]),
            torch.cat([part.rays for part in parts]),
            torch.cat([part.centres for part in parts]),
            torch.cat([part.focals for part in parts]),
            torch.cat([part.frames for part in parts]),
            torch.cat(known) if known else None,
        )

    def errors(self, predictions: Tensor) -> Tensor:
        """About the reprojection errors (N,) of predictions (N, 3), pixels; inf behind."""
        depths, across = self._split(predictions)
        pixels = self.focals * across / depths.clamp(min=1e-6)
        return torch.where(depths > 0, pixels, torch.full_like(pixels, torch.inf))

    def _split(self, predictions: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (N,) along the rays and across them."""
        offsets = predictions - self.centres
        depths = (offsets * self.rays).sum(dim=1)
        return depths, (offsets - depths[:, None] * self.rays).norm(dim=1)


@dataclass(frozen=True)
class RayFitOptions:
    """How the fit to rays runs.

    Attributes:
        ridge: lambda, where the mean weight of an observation is 1.
        along: what a unit of squared error along a ray counts, relative to across: the prior that
            keeps points at the scene's typical depth where nothing else tells.
        scales: of the robust weight in pixels, one per round.
        iterations: steps of conjugate gradient per round.
    """

    ridge: float = 1e-2
    along: float = 1e-3
    scales: tuple[float, ...] = (300.0, 100.0, 50.0, 25.0, 15.0, 10.0, 10.0)
    iterations: int = 60


def fit_rays(
    observations: Observations,
    *,
    anchors: int,
    options: RayFitOptions,
    start: Tensor | None = None,
) -> Tensor:
    """Points (anchors, 3) from poses alone, in units of the scene scale.

    Args:
        observations: coordinates are not looked at.
        anchors: how many the indices count.
        options: schedule and priors.
        start: (anchors, 3) points to go on from; then only the last scale is used, twice.
    """
    design = observations.design(anchors)
    scales = options.scales if start is None else options.scales[-1:] * 2
    # Where a point stands that no observation speaks of, and where the first round begins.
    ahead = observations.centres + observations.rays
    mass = design.gather(torch.ones_like(ahead)).clamp(min=1e-9)
    prior = design.gather(ahead) / mass
    points = prior if start is None else start
    for number, scale in enumerate(scales):
        first = start is None and number == 0
        metric = _ray_metric(observations, design, points, scale, options, first=first)
        # The part along the ray pulls to a depth of one; across it any point of the ray will do.
        points = solve(
            design,
            metric,
            ahead,
            ridge=options.ridge,
            start=points,
            prior=prior,
            iterations=options.iterations,
        )
    return points


def _ray_metric(
    observations: Observations,
    design: Design,
    points: Tensor,
    scale: float,
    options: RayFitOptions,
    *,
    first: bool,
) -> Metric:
    """The weights of a round, from the predictions of the one before."""
    along = torch.full_like(observations.focals, options.along)
    if first:
        weights = observations.focals.square()
        return Metric(weights / weights.mean(), observations.rays, (30 * along).clamp(max=1))
    depths, across = observations._split(design.predict(points))
    bounded = depths.clamp(*DEPTH_BOUNDS)
    errors = observations.focals * across / bounded
    robust = (1 + (errors / scale).square()).square()
    weights = (observations.focals / bounded).square() / robust
    behind = depths < MIN_DEPTH
    weights = torch.where(behind, 1e-2 * observations.focals.square(), weights)
    along = torch.where(behind, torch.ones_like(along), along)
    return Metric(weights / weights.mean(), observations.rays, along)


def fit_coordinates(
    observations: Observations,
    *,
    anchors: int,
    options: RayFitOptions,
    start: Tensor | None = None,
) -> Tensor:
    """Points (anchors, 3) of ridge regression to known coordinates, robustly reweighted.

    Args:
        observations: with coordinates.
        anchors: how many the indices count.
        options: schedule and priors; errors are pixels at the known depth.
        start: as in ``fit_rays``.
    """
    known = observations.coordinates
    if known is None:
        raise ValueError("observations without coordinates")
    design = observations.design(anchors)
    depths = (known - observations.centres).norm(dim=1).clamp(*DEPTH_BOUNDS)
    base = (observations.focals / depths).square()
    mass = design.gather(torch.ones_like(known)).clamp(min=1e-9)
    prior = design.gather(known) / mass
    points = prior if start is None else start
    for scale in options.scales if start is None else options.scales[-1:] * 2:
        errors = observations.focals * (design.predict(points) - known).norm(dim=1) / depths
        weights = base / (1 + (errors / scale).square()).square()
        points = solve(
            design,
            Metric(weights / weights.mean()),
            known,
            ridge=options.ridge,
            start=points,
            prior=prior,
            iterations=options.iterations,
        )
    return points


def held_out_score(observations: Observations, points: Tensor) -> float:
    """Mean over observations of 1 / (1 + (error / 10 px)^2): rewards precision and recall alike."""
    errors = observations.errors(observations.design(len(points)).predict(points))
    return float((1 / (1 + (errors / 10).square())).mean())


def chosen_ridge(
    observations: Observations,
    *,
    anchors: int,
    options: RayFitOptions,
    candidates: tuple[float, ...] = (1e-4, 1e-3, 1e-2),
    every: int = 5,
) -> float:
    """The lambda that predicts frames best that were left out; every so manieth is.

    One shorter fit per candidate. With fewer frames than ``every`` the options' own lambda.
    """
    held = observations.frames % every == every - 1
    if not held.any() or held.all():
        return options.ridge
    seen, rest = observations.rows(~held), observations.rows(held)
    shorter = replace(options, scales=options.scales[:4], iterations=options.iterations // 2)
    fit = fit_rays if observations.coordinates is None else fit_coordinates
    scores = {
        ridge: held_out_score(
            rest, fit(seen, anchors=anchors, options=replace(shorter, ridge=ridge))
        )
        for ridge in candidates
    }
    return max(scores, key=lambda ridge: scores[ridge])
