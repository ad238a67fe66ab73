"""The covariance of a pose against what errors really do to it."""

import numpy as np
import pytest

from reloc.geometry import inverted, look_at, pose_from, rotation_from_vector, transformed
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.covariance import leave_out_covariance
from reloc.pose.refinement import RefinementOptions, refined_pose

FOCAL = 500.0
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))


def cells(points, rays):
    return Correspondences.of_kind(Kind.CELL, points, rays, FOCAL)


def scene(count=80, seed=0):
    """World points before the camera, off to one side so that the covariance has a shape."""
    rng = np.random.default_rng(seed)
    rays = rng.uniform((-0.2, -0.3), (0.6, 0.2), (count, 2))
    # Those that follow each other are neighbours along a column.
    rays = rays[np.lexsort((rays[:, 1], np.floor(rays[:, 0] * 8)))]
    return transformed(POSE, np.c_[rays, np.ones(count)] * rng.uniform(2, 6, (count, 1))), rays


def motion(estimate):
    """The small motion of the camera, in its own frame, from the true pose to an estimate."""
    d = inverted(POSE) @ estimate
    r = d[:3, :3]
    return np.r_[
        0.5 * np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]), d[:3, 3]
    ]


def each(points):
    return np.arange(len(points))


def covariance(points, rays, *, groups=None, pose=POSE, scale=2.0):
    groups = each(points) if groups is None else groups
    return leave_out_covariance(cells(points, rays), pose, groups, scale=scale)


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 5])
def test_it_predicts_the_spread_of_poses_under_errors(together):
    points, rays = scene(120)
    groups = each(points) // together
    rng = np.random.default_rng(1)
    options = RefinementOptions(scale=2.0, gate=20.0)
    motions, predicted = [], []
    for _ in range(200):
        noise = rng.normal(0, 1 / FOCAL, (groups.max() + 1, 2))[groups]
        noisy = cells(points, rays + noise)
        found = refined_pose(POSE, noisy, options=options)
        motions.append(motion(found.world_from_cam))
        predicted.append(leave_out_covariance(noisy, found.world_from_cam, groups, scale=2.0))
    measured, expected = np.cov(np.array(motions).T), np.mean(predicted, axis=0)
    # Whitened by the prediction the spread must be that of six independent unit normals.
    white = np.linalg.inv(np.linalg.cholesky(expected))
    values = np.linalg.eigvalsh(white @ measured @ white.T)
    # With few groups a jackknife is on the safe side.
    assert values.min() > (0.5 if together == 1 else 0.25)
    assert values.max() < 1.6


def noisy_case():
    points, rays = scene()
    return points, rays + np.random.default_rng(2).normal(0, 1 / FOCAL, rays.shape)


def test_errors_of_groups_that_go_together_leave_a_pose_less_sure():
    points, rays = scene(120)
    groups = each(points) // 6
    noise = np.random.default_rng(3).normal(0, 1 / FOCAL, (20, 2))[groups]
    together = covariance(points, rays + noise, groups=groups)
    alone = covariance(points, rays + noise)
    assert np.trace(together[3:, 3:]) > 2 * np.trace(alone[3:, 3:])


def test_it_is_symmetric_and_positive():
    found = covariance(*noisy_case())
    assert found.shape == (6, 6)
    np.testing.assert_allclose(found, found.T, rtol=1e-6, atol=1e-18)
    assert np.linalg.eigvalsh(found).min() > 0


@pytest.mark.parametrize("scale", [0.001, 1000.0])
def test_the_unit_of_length_scales_the_translation_alone(scale):
    points, rays = noisy_case()
    units = np.r_[np.ones(3), np.full(3, scale)]
    pose = POSE.copy()
    pose[:3, 3] *= scale
    np.testing.assert_allclose(
        covariance(points * scale, rays, pose=pose),
        covariance(points, rays) * np.outer(units, units),
        rtol=1e-6,
    )


def test_the_world_frame_does_not_matter():
    points, rays = noisy_case()
    moved = pose_from(rotation_from_vector([0.3, 2, -1]), [5, 6, 7])
    np.testing.assert_allclose(
        covariance(transformed(moved, points), rays, pose=moved @ POSE),
        covariance(points, rays),
        rtol=1e-6,
    )


def test_more_points_and_less_noise_are_surer():
    def spread(count, noise):
        points, rays = scene(count)
        rays = rays + np.random.default_rng(0).normal(0, noise / FOCAL, rays.shape)
        return np.sqrt(np.trace(covariance(points, rays, scale=100.0)[3:, 3:]))

    assert spread(400, 1.0) == pytest.approx(spread(100, 1.0) / 2, rel=0.4)
    assert spread(100, 3.0) == pytest.approx(3 * spread(100, 1.0), rel=0.01)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_points_determine_nothing(count):
    points, rays = noisy_case()
    assert covariance(points[:count], rays[:count]) is None


@pytest.mark.parametrize("case", ["one point", "a line through the camera", "behind"])
def test_points_that_do_not_fix_the_pose_give_none(case):
    points, rays = noisy_case()
    if case == "one point":
        points, rays = np.repeat(points[:1], 20, axis=0), np.repeat(rays[:1], 20, axis=0)
    elif case == "behind":
        points[5] = 2 * POSE[:3, 3] - points[5]
    else:
        points = POSE[:3, 3] + np.outer(np.linspace(1, 4, 20), POSE[:3, 2])
        rays = np.zeros((20, 2))
    assert covariance(points, rays) is None
