"""Poses by landmarks: near a first pose, anywhere, and where there is nothing to see."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import (
    Camera,
    inverted,
    look_at,
    pose_error,
    pose_from,
    rotation_from_vector,
    transformed,
)
from reloc.landmarks.keypoints import Keypoints
from reloc.landmarks.vantages import Vantages
from reloc.localize.landmark_solver import LandmarkSolver

from ..landmarks.conftest import CAMERA, make_cloud
from ..landmarks.test_matching import landmarks_of, with_copies

QUERY = 5


@pytest.fixture(scope="module")
def cloud():
    return make_cloud(points=500, seed=1)


@pytest.fixture(scope="module")
def solver(cloud):
    return LandmarkSolver(landmarks_of(cloud)[0])


def errors(found, cloud):
    return pose_error(found.world_from_cam, cloud.views[QUERY].world_from_cam)


def moved(pose, *, by, turn_deg, seed=0):
    rng = np.random.default_rng(seed)
    shift, turn = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    return pose @ pose_from(rotation_from_vector(np.radians(turn_deg) * turn), by * shift)


def test_the_pose_is_found_without_any_other(cloud, solver):
    found = solver.solve(cloud.keypoints[QUERY], CAMERA, None)
    distance, angle = errors(found, cloud)
    assert distance < 0.005
    assert angle < 0.03
    assert found.confidence > 0.9
    assert found.inliers > 0.7 * len(cloud.keypoints[QUERY])
    assert found.inliers <= found.visible


@pytest.mark.parametrize("seed", range(3))
def test_a_rough_pose_becomes_exact(cloud, solver, seed):
    rough = moved(cloud.views[QUERY].world_from_cam, by=0.05, turn_deg=0.7, seed=seed)
    found = solver.solve(cloud.keypoints[QUERY], CAMERA, rough)
    distance, angle = errors(found, cloud)
    assert distance < 0.005
    assert angle < 0.03


def test_what_frames_beside_it_show_decides_a_pose(cloud):
    """Where poses of mapping frames do not fit together, as far from another as they are."""
    landmarks, rows = landmarks_of(cloud)
    elsewhere = np.arange(len(rows)) % 3 > 0
    points = landmarks.points + np.where(elsewhere[:, None], (0.02, 0, 0), 0)
    pose = cloud.views[QUERY].world_from_cam
    steps = np.array([-0.2, 0, 0.2, 2, 3, 4])
    seen = np.where(steps < 1, ~elsewhere[:, None], elsewhere[:, None])
    vantages = Vantages(
        pose[:3, 3] + steps[:, None] * pose[:3, 0],
        np.tile(pose[:3, 2], (6, 1)).astype(np.float32),
        4.5,
        seen,
    )
    plain = replace(landmarks, points=points)
    found = [
        LandmarkSolver(known).solve(cloud.keypoints[QUERY], CAMERA, None)
        for known in (plain, replace(plain, vantages=vantages))
    ]
    assert errors(found[0], cloud)[0] > 0.01
    assert errors(found[1], cloud)[0] < 0.005
    # How many agree, and with them how sure a pose is, is told of all.
    assert found[0].inliers == found[1].inliers
    assert found[0].confidence == found[1].confidence


@pytest.mark.slow
def test_large_keypoints_count_less(cloud, solver):
    plain = cloud.keypoints[QUERY]
    first = cloud.views[QUERY].world_from_cam
    large = np.arange(len(plain)) % 2 == 1
    told, untold = [], []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(size=plain.pixels.shape)
        noise *= np.where(large, 2.0, 0.2)[:, None]
        noisy = replace(plain, pixels=(plain.pixels + noise).astype(np.float32))
        sizes = plain.sizes * np.where(large, 1.9, 0.55).astype(np.float32)
        told.append(errors(solver.solve(replace(noisy, sizes=sizes), CAMERA, first), cloud)[0])
        untold.append(errors(solver.solve(noisy, CAMERA, first), cloud)[0])
    assert np.median(told) < 0.8 * np.median(untold)


def test_measured_depth_takes_part(cloud):
    """A camera that measures all depths too far pulls the pose back."""

    class Wrong:
        def along(self, rays):
            points = transformed(inverted(pose), landmarks.points)
            seen = points[:, :2] / points[:, 2:]
            nearest = np.linalg.norm(rays[:, None] - seen, axis=2).argmin(axis=1)
            return points[nearest, 2] + 0.02

    landmarks, _ = landmarks_of(cloud)
    pose, keypoints = cloud.views[QUERY].world_from_cam, cloud.keypoints[QUERY]
    solver = LandmarkSolver(landmarks)
    without = solver.solve(keypoints, CAMERA, None)
    found = solver.solve(keypoints, CAMERA, None, depth=Wrong())
    back = inverted(without.world_from_cam) @ found.world_from_cam
    assert -0.02 < back[2, 3] < -0.001


def test_a_wrong_first_pose_is_left(cloud, solver):
    wrong = moved(cloud.views[QUERY].world_from_cam, by=1.5, turn_deg=20.0)
    found = solver.solve(cloud.keypoints[QUERY], CAMERA, wrong)
    assert errors(found, cloud)[0] < 0.005


@pytest.mark.slow
def test_the_covariance_says_how_far_off_a_pose_is(cloud):
    """Over fresh noise, motions in units of the covariance have the size that they should."""
    solver = LandmarkSolver(landmarks_of(cloud)[0])
    squares = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        keypoints = cloud.keypoints[QUERY]
        noisy = (keypoints.pixels + rng.normal(size=keypoints.pixels.shape) * 0.5).astype(
            np.float32
        )
        found = solver.solve(Keypoints(noisy, keypoints.sizes, keypoints.descriptors), CAMERA, None)
        motion = np.linalg.inv(found.world_from_cam) @ cloud.views[QUERY].world_from_cam
        off = np.r_[
            motion[2, 1] - motion[1, 2], motion[0, 2] - motion[2, 0], motion[1, 0] - motion[0, 1]
        ]
        step = np.r_[off / 2, motion[:3, 3]]
        squares.append(step @ np.linalg.solve(found.covariance, step))
    assert 2 < np.median(squares) < 20  # 5.3 is the median of chi-square of six


def test_another_size_of_the_image_changes_little(cloud):
    """All pixels and sizes of a query doubled, with its camera."""
    solver = LandmarkSolver(landmarks_of(cloud)[0])
    keypoints = cloud.keypoints[QUERY]
    double = Keypoints(2 * keypoints.pixels, 2 * keypoints.sizes, keypoints.descriptors)
    camera = CAMERA.resized(2 * CAMERA.width, 2 * CAMERA.height)
    one = solver.solve(keypoints, CAMERA, None)
    other = solver.solve(double, camera, None)
    assert pose_error(one.world_from_cam, other.world_from_cam)[0] < 1e-4
    assert abs(one.inliers - other.inliers) <= 2


def test_a_photo_of_another_place_is_not_believed(solver):
    elsewhere = make_cloud(points=500, seed=9)
    for first in (None, elsewhere.views[QUERY].world_from_cam):
        found = solver.solve(elsewhere.keypoints[QUERY], CAMERA, first)
        assert found is None or found.confidence < 0.5


def test_a_photo_of_nothing_has_no_pose(solver):
    nothing = Keypoints(
        np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, 128), np.uint8)
    )
    pose = look_at((0, 0, 0), (0, 0, 4.5), up=(0, -1, 0))
    assert solver.solve(nothing, CAMERA, None) is None
    assert solver.solve(nothing, CAMERA, pose) is None


def test_a_few_landmarks_are_not_enough(cloud):
    landmarks, _ = landmarks_of(cloud)
    few = LandmarkSolver(landmarks.subset(np.arange(0, 500, 60)))
    found = few.solve(cloud.keypoints[QUERY], CAMERA, None)
    assert found is None or found.confidence < 0.5


def test_a_wrong_focal_length_is_no_crash(cloud, solver):
    camera = Camera.pinhole(width=640, height=480, fx=5000)
    found = solver.solve(cloud.keypoints[QUERY], camera, cloud.views[QUERY].world_from_cam)
    assert found is None or np.isfinite(found.world_from_cam).all()


def test_a_place_that_stands_twice_is_ambiguous(cloud):
    known = landmarks_of(cloud)[0]
    everyone = np.arange(len(known))
    turned = pose_from(rotation_from_vector((0.0, 2.0, 0.0)), (30.0, 1.0, -4.0))
    twice = with_copies(known, transformed(turned, known.points), everyone)
    twice.directions[len(known) :] = known.directions @ turned[:3, :3].T
    first = cloud.views[QUERY].world_from_cam
    found = LandmarkSolver(twice).solve(cloud.keypoints[QUERY], CAMERA, first)
    assert found.confidence > 0.9
    assert found.ambiguous
    # The same things, each somewhere else: they stand in no other place together.
    scattered = np.random.default_rng(0).uniform(-30, 30, (len(known), 3))
    mixed = with_copies(known, scattered, everyone)
    found = LandmarkSolver(mixed).solve(cloud.keypoints[QUERY], CAMERA, first)
    assert found.confidence > 0.9
    assert not found.ambiguous
    assert not LandmarkSolver(known).solve(cloud.keypoints[QUERY], CAMERA, first).ambiguous
    # A third of the things stands together in another place: most that is there is missing.
    some = np.arange(0, len(known), 3)
    partly = with_copies(known, transformed(turned, known.points[some]), some)
    partly.directions[len(known) :] = known.directions[some] @ turned[:3, :3].T
    found = LandmarkSolver(partly).solve(cloud.keypoints[QUERY], CAMERA, first)
    assert found.confidence > 0.9
    assert not found.ambiguous


def test_a_focal_length_that_does_not_fit_is_noticed(cloud, solver):
    assert not solver.solve(cloud.keypoints[QUERY], CAMERA, None).focal.is_other
    longer = Camera(CAMERA.model, 640, 480, (1.1 * CAMERA.focal, *CAMERA.params[1:]))
    fit = solver.solve(cloud.keypoints[QUERY], longer, None).focal
    assert fit.is_other
    assert fit.ratio == pytest.approx(1 / 1.1, abs=0.01)
