"""Rotations, quaternions and rigid poses."""

import cv2
import numpy as np
import pytest

from reloc.geometry import (
    inverted,
    look_at,
    orthonormalized,
    pose_error,
    pose_from,
    pose_problem,
    quaternion_from_rotation,
    rotation_angle_deg,
    rotation_from_quaternion,
    rotation_from_vector,
    transformed,
)


def random_rotation(rng):
    return rotation_from_quaternion(rng.normal(size=4))


def random_pose(rng):
    return pose_from(random_rotation(rng), rng.normal(size=3))


def test_a_quaternion_turns_vectors_as_the_hamilton_product_does():
    rng = np.random.default_rng(0)
    for _ in range(50):
        w, x, y, z = q = rng.normal(size=4)
        v = rng.normal(size=3)
        u = np.array([x, y, z])
        # q v q* / |q|^2, written out.
        turned = ((w * w - u @ u) * v + 2 * (u @ v) * u + 2 * w * np.cross(u, v)) / (q @ q)
        np.testing.assert_allclose(rotation_from_quaternion(q) @ v, turned, atol=1e-12)


def test_quaternions_and_rotations_are_each_others_inverse():
    rng = np.random.default_rng(1)
    for _ in range(100):
        q = rng.normal(size=4)
        q /= np.linalg.norm(q) * (1 if q[0] > 0 else -1)
        rotation = rotation_from_quaternion(3.7 * q)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        np.testing.assert_allclose(quaternion_from_rotation(rotation), q, atol=1e-9)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (-1, 2, 3)])
@pytest.mark.parametrize("angle", [0, 1e-9, 1e-4, np.pi / 2, np.pi - 1e-7, np.pi])
def test_hard_angles_survive_the_way_through_a_quaternion(axis, angle):
    vector = angle * np.array(axis) / np.linalg.norm(axis)
    rotation = rotation_from_vector(vector)
    q = quaternion_from_rotation(rotation)
    assert np.linalg.norm(q) == pytest.approx(1)
    assert q[0] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(q), rotation, atol=1e-12)


@pytest.mark.parametrize("bad", [(0, 0, 0, 0), (np.nan, 0, 0, 1), (np.inf, 0, 0, 0)])
def test_what_is_no_quaternion_is_refused(bad):
    with pytest.raises(ValueError, match="quaternion"):
        rotation_from_quaternion(bad)


def test_rotation_vectors_agree_with_opencv():
    rng = np.random.default_rng(2)
    for length in (0.0, 1e-13, 1e-6, 0.5, 3.1, 7.0):
        vector = rng.normal(size=3)
        vector *= length / np.linalg.norm(vector)
        np.testing.assert_allclose(
            rotation_from_vector(vector), cv2.Rodrigues(vector)[0], atol=1e-12
        )


@pytest.mark.parametrize("degrees", [0, 1e-7, 1e-3, 0.5, 45, 120, 179.9, 180])
def test_the_angle_between_rotations_is_exact_from_tiny_to_half_turns(degrees):
    rng = np.random.default_rng(3)
    base, axis = random_rotation(rng), rng.normal(size=3)
    turn = rotation_from_vector(np.radians(degrees) * axis / np.linalg.norm(axis))
    expected = pytest.approx(degrees, rel=1e-6, abs=1e-11)
    assert rotation_angle_deg(np.eye(3), turn) == expected
    assert rotation_angle_deg(base @ turn, base) == pytest.approx(degrees, rel=1e-5, abs=1e-9)


def test_inverting_undoes_one_pose_or_many():
    rng = np.random.default_rng(4)
    poses = np.stack([random_pose(rng) for _ in range(6)])
    np.testing.assert_allclose(inverted(poses), np.linalg.inv(poses), atol=1e-12)
    np.testing.assert_allclose(inverted(poses[0]) @ poses[0], np.eye(4), atol=1e-12)


def test_transforming_points_chains_like_the_matrices():
    rng = np.random.default_rng(5)
    a_from_b, b_from_c, points = random_pose(rng), random_pose(rng), rng.normal(size=(7, 3))
    np.testing.assert_allclose(
        transformed(a_from_b @ b_from_c, points),
        transformed(a_from_b, transformed(b_from_c, points)),
        atol=1e-12,
    )
    homogeneous = np.c_[points, np.ones(7)] @ a_from_b.T
    np.testing.assert_allclose(transformed(a_from_b, points), homogeneous[:, :3], atol=1e-12)


def test_orthonormalizing_finds_the_rotation_under_the_noise():
    rng = np.random.default_rng(6)
    pose = random_pose(rng)
    noisy = pose.copy()
    noisy[:3, :3] += rng.normal(0, 1e-3, (3, 3))
    clean = orthonormalized(noisy)
    assert rotation_angle_deg(clean[:3, :3], pose[:3, :3]) < 0.3
    np.testing.assert_allclose(clean[:3, :3] @ clean[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(clean[:3, 3], pose[:3, 3])
    np.testing.assert_allclose(orthonormalized(clean), clean, atol=1e-12)
    # Nearest: no small turn away from it comes closer to the noisy matrix.
    best = np.linalg.norm(clean[:3, :3] - noisy[:3, :3])
    for _ in range(20):
        turned = clean[:3, :3] @ rotation_from_vector(rng.normal(0, 1e-3, 3))
        assert np.linalg.norm(turned - noisy[:3, :3]) >= best


def test_a_rigid_pose_has_no_problem():
    rng = np.random.default_rng(7)
    for _ in range(20):
        assert pose_problem(random_pose(rng)) is None
    six_digits = np.round(random_pose(rng), 6)
    assert pose_problem(six_digits) is None


def changed(row, column, value):
    pose = np.eye(4)
    pose[row, column] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "word"),
    [
        (np.eye(3), "shape"),
        (np.zeros((2, 4, 4)), "shape"),
        (changed(0, 3, np.nan), "NaN"),
        (changed(1, 1, np.inf), "infinity"),
        (changed(3, 0, 0.1), "last row"),
        (changed(3, 3, 0.0), "last row"),
        (changed(0, 0, -1.0), "reflection"),
        (changed(0, 0, 1.2), "orthonormal"),
        (np.diag([0, 0, 0, 1.0]), "orthonormal"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "orthonormal"),
    ],
)
def test_the_problem_of_a_bad_pose_is_named(pose, word):
    problem = pose_problem(pose)
    assert problem is not None
    assert word in problem
    assert "\n" not in problem


def test_pose_error_is_distance_and_angle():
    rng = np.random.default_rng(8)
    truth = random_pose(rng)
    moved = truth @ pose_from(rotation_from_vector([0, np.radians(3), 0]), [0.3, 0, 0.4])
    distance, angle = pose_error(moved, truth)
    assert distance == pytest.approx(0.5)
    assert angle == pytest.approx(3)
    # Both errors are the same in any world frame.
    elsewhere = random_pose(rng)
    np.testing.assert_allclose(pose_error(elsewhere @ moved, elsewhere @ truth), (0.5, 3))


@pytest.mark.parametrize("up", [(0, 0, 1), (0, -1, 0), (0.1, 0.2, 1)])
def test_look_at_puts_the_target_ahead_and_up_above(up):
    eye, target = np.array([3.0, -2, 1]), np.array([0.5, 1, -0.4])
    pose = look_at(eye, target, up)
    assert pose_problem(pose) is None
    np.testing.assert_array_equal(pose[:3, 3], eye)
    seen = transformed(inverted(pose), [target, target + np.array(up) * 0.1])
    np.testing.assert_allclose(seen[0], (0, 0, float(np.linalg.norm(target - eye))), atol=1e-12)
    assert seen[1][1] < 0, "up in the world must be up in the image, where y points down"
    assert seen[1][0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("target", [(1, 2, 3), (1, 2, 9)])
def test_look_at_refuses_a_view_without_a_direction(target):
    with pytest.raises(ValueError, match="look_at"):
        look_at((1, 2, 3), target)
