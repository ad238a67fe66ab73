"""Another focal length is found where views tell of it, and not where they do not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import inverted, look_at, transformed
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.focal_fit import focal_fit
from reloc.pose.solver import SolverOptions, solve_pose

POSE = look_at((0.3, -0.2, 0.1), (0.1, 0.4, 6.0), up=(0, -1, 0))
FOCAL = 500.0


def correspondences(rng, depths, *, told=1.0, noise=0.7, wrong=0.1, count=200):
    """Points of a view with noisy pixels, and a focal length told so many times too long."""
    rays = rng.uniform((-0.6, -0.45), (0.6, 0.45), (count, 2))
    points = transformed(POSE, np.c_[rays, np.ones(count)] * depths(rng, rays)[:, None])
    pixels = FOCAL * rays + rng.normal(0, noise, rays.shape)
    bad = rng.random(count) < wrong
    pixels[bad] += rng.uniform(-30, 30, (bad.sum(), 2))
    return Correspondences.of_kind(Kind.LANDMARK, points, pixels / (told * FOCAL), told * FOCAL)


def room(rng, rays):
    return rng.uniform(1.5, 5.0, len(rays))


def facing_wall(rng, rays):
    """Depths of a plane that the camera looks at straight."""
    return np.full(len(rays), 3.0)


def fitted(seen):
    found = solve_pose(seen, options=SolverOptions(threshold=12.0, refine_scale=2.0))
    return focal_fit(found.world_from_cam, seen)


@pytest.mark.parametrize("told", [0.85, 0.95, 1.05, 1.15])
def test_the_right_focal_length_is_found(told):
    fit = fitted(correspondences(np.random.default_rng(1), room, told=told))
    assert fit.is_other
    assert fit.likelihood < 0.01
    assert fit.ratio * told == pytest.approx(1, abs=0.01)
    assert abs(math.log(fit.ratio * told)) < 5 * fit.deviation


def test_a_right_one_fits():
    fits = [fitted(correspondences(np.random.default_rng(seed), room)) for seed in range(40)]
    assert not any(fit.is_other for fit in fits)
    assert all(fit.likelihood == 1 for fit in fits)
    errors = [math.log(fit.ratio) / fit.deviation for fit in fits]
    assert 0.6 < np.std(errors) < 1.6


def test_the_statistic_is_chi_squared_where_errors_are_those_of_its_loss():
    # Of Cauchy's loss with a scale of one sigma: deviations of Student's t with one degree.
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        seen = correspondences(rng, room, noise=0.0, wrong=0.0, count=80)
        radius = np.abs(rng.standard_cauchy(80)).clip(0, 30) * 0.7
        angle = rng.uniform(0, 2 * np.pi, 80)
        off = (radius * (np.cos(angle), np.sin(angle))).T / FOCAL
        found.append(focal_fit(POSE, replace(seen, rays=seen.rays + off)).statistic)
    assert np.mean(np.array(found) > 15.14) < 0.1


def test_a_wall_that_is_faced_does_not_tell():
    # A nearer camera with a shorter lens sees the very same.
    fit = fitted(correspondences(np.random.default_rng(2), facing_wall, told=1.15))
    assert not fit.is_other
    assert fit.deviation > 0.05


def test_small_differences_are_none():
    fit = fitted(correspondences(np.random.default_rng(3), room, told=1.01, noise=0.1, count=2000))
    assert fit.ratio == pytest.approx(1 / 1.01, abs=0.002)
    assert not fit.is_other


def test_few_points_or_those_behind_say_nothing():
    seen = correspondences(np.random.default_rng(4), room)
    assert focal_fit(POSE, seen[np.arange(15)]) is None
    away = POSE.copy()
    away[:3, 3] += 20 * POSE[:3, 2]
    assert focal_fit(away, seen) is None
    assert (transformed(inverted(POSE), seen.scene_coordinates)[:, 2] > 0).all()
