"""Fits on a made-up place: cameras around points, one anchor per point."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from reloc.methods.ridge.fit import FitOptions, Observations, chosen_ridge, fit

ANCHORS, FRAMES = 30, 12
OPTIONS = FitOptions(ridge=1e-6, along=1e-6)


def place(*, wrong=0.0, known=0.0):
    """Points about one unit ahead of cameras on a line, and what each camera sees of them.

    ``wrong`` is the share of observations whose ray leads anywhere, ``known`` the share of the
    others whose depth is known.
    """
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(ANCHORS, 3, generator=generator, dtype=torch.float64) - 0.5
    points[:, 2] += 1.2
    centers = torch.zeros(FRAMES, 3, dtype=torch.float64)
    centers[:, 0] = torch.linspace(-0.6, 0.6, FRAMES)
    frames = torch.arange(FRAMES).repeat_interleave(ANCHORS)
    anchors = torch.arange(ANCHORS).repeat(FRAMES)
    offsets = points[anchors] - centers[frames]
    astray = torch.rand(len(frames), generator=generator) < wrong
    noise = torch.randn(offsets.shape, generator=generator, dtype=torch.float64)
    noise[:, 2] = noise[:, 2].abs() + 1
    rays = functional.normalize(torch.where(astray[:, None], noise, offsets), dim=1)
    # Each point answers mostly by its own anchor, a little by the next.
    indices = torch.stack([anchors, (anchors + 1) % ANCHORS], dim=1)
    weights = torch.tensor([0.9, 0.1], dtype=torch.float64).expand(len(frames), 2)
    measured = torch.rand(len(frames), generator=generator) < known
    depths = torch.where(measured & ~astray, offsets.norm(dim=1), torch.nan)
    observations = Observations(
        indices=indices,
        weights=weights.contiguous(),
        rays=rays,
        centers=centers[frames],
        focals=torch.full((len(frames),), 500.0, dtype=torch.float64),
        frames=frames,
        depths=depths,
    )
    return observations, points[anchors], astray


def misses(observations, points, truth, rows):
    predictions = observations.design(ANCHORS).predict(points)
    return (predictions - truth)[rows].norm(dim=1)


def test_rays_alone_give_the_points():
    observations, truth, astray = place()
    points = fit(observations, anchors=ANCHORS, options=OPTIONS)
    assert misses(observations, points, truth, ~astray).max() < 1e-3


def test_rays_that_lead_astray_are_seen_through():
    observations, truth, astray = place(wrong=0.3)
    points = fit(observations, anchors=ANCHORS, options=OPTIONS)
    assert misses(observations, points, truth, ~astray).median() < 2e-3
    plain = replace(OPTIONS, scales=(1e6,) * 3)
    unweighted = fit(observations, anchors=ANCHORS, options=plain)
    assert misses(observations, unweighted, truth, ~astray).median() > 2e-2


@pytest.mark.parametrize("baseline", [0.1, math.inf])
def test_known_depths_are_fitted(baseline):
    observations, truth, astray = place(known=1.0)
    options = replace(OPTIONS, baseline=baseline)
    points = fit(observations, anchors=ANCHORS, options=options)
    assert misses(observations, points, truth, ~astray).max() < 1e-5


def test_few_depths_say_what_rays_leave_open():
    """Cameras that all but share one spot: a third of the depths are enough for all points."""
    observations, truth, astray = place(known=0.3)
    scale = torch.tensor([1e-3, 1.0, 1.0], dtype=torch.float64)
    centers = observations.centers * scale
    rays = truth - centers
    depths = torch.where(observations.depths.isnan(), torch.nan, rays.norm(dim=1))
    together = replace(
        observations, centers=centers, rays=functional.normalize(rays, dim=1), depths=depths
    )
    points = fit(together, anchors=ANCHORS, options=OPTIONS)
    assert misses(together, points, truth, ~astray).median() < 1e-3
    blind = replace(together, depths=torch.full_like(depths, torch.nan))
    points = fit(blind, anchors=ANCHORS, options=OPTIONS)
    assert misses(together, points, truth, ~astray).median() > 1e-2


def test_wrong_depths_are_seen_through():
    observations, truth, astray = place(known=1.0)
    depths = observations.depths.clone()
    depths[::5] *= 1.5
    points = fit(replace(observations, depths=depths), anchors=ANCHORS, options=FitOptions())
    assert misses(observations, points, truth, ~astray).median() < 0.01


def test_points_stay_in_front_where_rays_leave_the_depth_open():
    """Cameras that all but share one spot: the prior holds points at the typical depth."""
    observations, *_ = place()
    together = replace(observations, centers=observations.centers * 1e-4)
    points = fit(together, anchors=ANCHORS, options=FitOptions())
    depths = (points * 1.0).norm(dim=1)
    assert depths.min() > 0.3
    assert depths.max() < 3


def test_a_fit_goes_on_from_where_one_ended():
    observations, truth, astray = place()
    seen = observations.frames < FRAMES - 1
    before = fit(observations.rows(seen), anchors=ANCHORS, options=OPTIONS)
    after = fit(observations, anchors=ANCHORS, options=OPTIONS, start=before)
    assert misses(observations, after, truth, ~astray).max() < 1e-3


def test_errors_are_pixels_and_infinite_behind():
    observations, truth, _ = place()
    assert observations.errors(truth).max() < 1e-6
    sideways = functional.normalize(torch.linalg.cross(observations.rays, truth), dim=1)
    depths = (truth - observations.centers).norm(dim=1)
    errors = observations.errors(truth + 0.01 * depths[:, None] * sideways)
    torch.testing.assert_close(errors, torch.full_like(errors, 5.0))
    assert torch.isinf(observations.errors(2 * observations.centers - truth)).all()


@pytest.mark.parametrize("known", [0.0, 1.0])
def test_the_chosen_lambda_is_the_one_that_left_out_frames_like_best(known):
    observations, *_ = place(wrong=0.2, known=known)
    candidates = (1e-6, 1e6)
    chosen = chosen_ridge(observations, anchors=ANCHORS, options=OPTIONS, candidates=candidates)
    assert chosen == 1e-6


def test_few_frames_keep_the_given_lambda():
    observations, *_ = place()
    few = observations.rows(observations.frames < 2)
    assert chosen_ridge(few, anchors=ANCHORS, options=OPTIONS) == OPTIONS.ridge
