"""Fitting the ridge head: to viewing rays, and to depths along them where these are known.

The distance of a predicted point to its viewing ray is linear in the head, so each round is a
least-squares problem. A distance in space becomes pixels when it is weighted by the inverse depth
of the prediction of the round before; predictions that still miss by more than the round's scale
count ever less (Geman-McClure). Along a ray, an error counts as much as an eye beside the camera
would see of it, where the depth is known; elsewhere all are drawn a little to the scene's typical
depth, which settles what the rays leave open. Behind or very near to a camera the distance to a ray
means nothing: such predictions are drawn to their depth in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from reloc.methods.ridge.solve import Design, Metric, solve

# In units of the scene scale.
MIN_DEPTH = 0.1
DEPTH_BOUNDS = (0.2, 20.0)
TYPICAL_DEPTH = 1.0
# A fit to which more than this share of the depths is known begins near its end. In the mean that
# it begins at, a depth that is only guessed counts this much.
MOSTLY = 0.5
GUESSED = 0.05


@dataclass(frozen=True)
class Observations:
    """What mapping features tell: N rows, all in one dtype, lengths in units of the scene scale.

    Attributes:
        indices: (N, k) int64 anchors that respond to a feature.
        weights: (N, k) their responses.
        rays: (N, 3) unit viewing rays, world axes.
        centers: (N, 3) camera centres, relative to the map's origin.
        focals: (N,) pixels of the view per unit at z = 1.
        frames: (N,) int64 number of the frame.
        depths: (N,) distance along the ray of what it hits; NaN where nobody knows.
    """

    indices: Tensor
    weights: Tensor
    rays: Tensor
    centers: Tensor
    focals: Tensor
    frames: Tensor
    depths: Tensor

    def __len__(self) -> int:
        return len(self.rays)

    def design(self, anchors: int) -> Design:
        """The linear map from the points of so many anchors to predictions."""
        return Design(self.indices, self.weights, anchors=anchors)

    def rows(self, picks: Tensor) -> "Observations":
        """Some rows, by number or by a mask (N,)."""
        return Observations(**{f.name: getattr(self, f.name)[picks] for f in fields(self)})

    @staticmethod
    def joined(parts: "Sequence[Observations]") -> "Observations":
        """All observations in one."""
        return Observations(
            **{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Observations)}
        )

    def errors(self, predictions: Tensor) -> Tensor:
        """About the reprojection errors (N,) of predictions (N, 3), pixels; inf behind."""
        depths, across = self.split(predictions)
        pixels = self.focals * across / depths.clamp(min=1e-6)
        return torch.where(depths > 0, pixels, torch.full_like(pixels, torch.inf))

    def split(self, predictions: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (N,) along the rays and across them."""
        offsets = predictions - self.centers
        depths = (offsets * self.rays).sum(dim=1)
        return depths, (offsets - depths[:, None] * self.rays).norm(dim=1)


@dataclass(frozen=True)
class FitOptions:
    """How the fit runs.

    Attributes:
        ridge: lambda, where the mean weight of an observation is 1.
        along: what a unit of squared error along a ray counts, relative to across, where no depth
            is known: the prior that keeps points at the scene's typical depth.
        baseline: of the eye beside the camera by which errors along a ray are judged where the
            depth is known, in units of the scene scale; inf counts them like errors across.
        scales: of the robust weight in pixels, one per round.
        iterations: steps of conjugate gradient per round.
        near_scales, near_iterations: the same for a fit that begins near its end.
    """

    ridge: float = 1e-2
    along: float = 1e-3
    baseline: float = 0.1
    scales: tuple[float, ...] = (300.0, 100.0, 50.0, 25.0, 15.0, 10.0, 10.0)
    iterations: int = 60
    near_scales: tuple[float, ...] = (50.0, 20.0, 10.0)
    near_iterations: int = 20


def fit(
    observations: Observations,
    *,
    anchors: int,
    options: FitOptions,
    start: Tensor | None = None,
) -> Tensor:
    """Points (anchors, 3), in units of the scene scale.

    Args:
        observations: what to fit to; where most depths are known, so is where to begin.
        anchors: how many the indices count.
        options: schedule and priors.
        start: (anchors, 3) points to go on from.
    """
    design = observations.design(anchors)
    known = torch.isfinite(observations.depths)
    near = start is not None or bool(known.double().mean() > MOSTLY)
    # Across its ray a point on it at any depth will do as a target.
    reach = torch.where(known, observations.depths, TYPICAL_DEPTH)
    targets = observations.centers + observations.rays * reach[:, None]
    along = torch.where(known, (options.baseline / reach).square().clamp(max=1), options.along)
    # Where a point stands that the fit says nothing of, and where the first round begins.
    sure = torch.where(known, 1.0, GUESSED).to(targets)[:, None].expand_as(targets).contiguous()
    prior = design.gather(sure * targets) / design.gather(sure).clamp(min=1e-9)
    points = prior if start is None else start
    for number, scale in enumerate(options.near_scales if near else options.scales):
        if number or near:
            metric = _metric(observations, design.predict(points), along, scale)
        else:
            weights = observations.focals.square()
            metric = Metric(weights / weights.mean(), observations.rays, (30 * along).clamp(max=1))
        points = solve(
            design,
            metric,
            targets,
            ridge=options.ridge,
            start=points,
            prior=prior,
            iterations=options.near_iterations if near else options.iterations,
        )
    return points


def _metric(observations: Observations, predictions: Tensor, along: Tensor, scale: float) -> Metric:
    """The weights of a round, from the predictions (N, 3) of the one before."""
    depths, across = observations.split(predictions)
    bounded = depths.clamp(*DEPTH_BOUNDS)
    per_length = (observations.focals / bounded).square()
    # What nobody knows is no error.
    beyond = (depths - observations.depths).nan_to_num(nan=0.0)
    squares = per_length * (across.square() + along * beyond.square())
    weights = per_length / (1 + squares / scale**2).square()
    behind = depths < MIN_DEPTH
    weights = torch.where(behind, 1e-2 * observations.focals.square(), weights)
    along = torch.where(behind, torch.ones_like(along), along)
    return Metric(weights / weights.mean(), observations.rays, along)


def held_out_score(observations: Observations, points: Tensor) -> float:
    """Mean over observations of 1 / (1 + (error / 10 px)^2): rewards precision and recall alike."""
    errors = observations.errors(observations.design(len(points)).predict(points))
    return float((1 / (1 + (errors / 10).square())).mean())


def chosen_ridge(
    observations: Observations,
    *,
    anchors: int,
    options: FitOptions,
    candidates: tuple[float, ...] = (1e-3, 1e-2, 1e-1),
    every: int = 5,
) -> float:
    """The lambda that predicts frames best that were left out; every nth is.

    One shorter fit per candidate. With fewer frames than ``every`` the options' own lambda.
    """
    held = observations.frames % every == every - 1
    if not held.any() or held.all():
        return options.ridge
    seen, rest = observations.rows(~held), observations.rows(held)
    shorter = replace(
        options,
        scales=options.scales[:4],
        iterations=options.iterations // 2,
        near_iterations=options.near_iterations // 2,
    )
    scores = {
        ridge: held_out_score(
            rest, fit(seen, anchors=anchors, options=replace(shorter, ridge=ridge))
        )
        for ridge in candidates
    }
    return max(scores, key=lambda ridge: scores[ridge])
