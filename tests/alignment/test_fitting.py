"""Similarities between positions that are known twice: exact ones, mistakes, degenerate input."""

import numpy as np
import pytest

from reloc.alignment.fitting import fit_similarity
from reloc.alignment.gravity import up_by_cameras
from reloc.alignment.similarity import Similarity, turned_up, umeyama
from reloc.errors import OptionError
from reloc.geometry import look_at, pose_from, rotation_angle_deg, rotation_from_vector

TRUE = Similarity(0.37, rotation_from_vector((0.4, -1.1, 2.0)), np.array([5.0, -3.0, 12.0]))
UP = TRUE.rotation[2]


def points(count, seed=0):
    return np.random.default_rng(seed).normal(0, 4, (count, 3))


def assert_same(found, true, tolerance=1e-9):
    assert found.scale == pytest.approx(true.scale, rel=tolerance)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=tolerance)
    np.testing.assert_allclose(found.translation, true.translation, atol=20 * tolerance)


def test_similarities_follow_each_other():
    other = Similarity(2.0, rotation_from_vector((0, 0.3, 0)), np.array([1.0, 2, 3]))
    world = points(5)
    np.testing.assert_allclose(
        TRUE.after(other).points(world), TRUE.points(other.points(world)), atol=1e-12
    )
    pose = pose_from(rotation_from_vector((1, 2, 0.5)), (3, 1, 2))
    moved = TRUE.pose(pose)
    np.testing.assert_allclose(moved[:3, 3], TRUE.points(pose[:3, 3])[0])
    np.testing.assert_allclose(moved[:3, :3], TRUE.rotation @ pose[:3, :3])


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 0, -1), (0, -1, 0), (0.3, -2, 0.1), (1e-9, 0, -1)])
def test_up_is_turned_to_z(up):
    rotation = turned_up(up)
    np.testing.assert_allclose(rotation @ up / np.linalg.norm(up), (0, 0, 1), atol=1e-9)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0


@pytest.mark.parametrize("count", [3, 4, 12])
def test_exact_points_give_the_exact_similarity(count):
    world = points(count)
    fit = fit_similarity(world, TRUE.points(world))
    assert_same(fit.similarity, TRUE)
    assert fit.used.all()
    assert fit.deviation == pytest.approx(0, abs=1e-9)


def test_mirrored_points_give_a_rotation_still():
    world = points(10)
    assert np.linalg.det(umeyama(world, world * (1, 1, -1)).rotation) == pytest.approx(1)


@pytest.mark.parametrize("up", [None, UP])
def test_mistakes_are_left_out(up):
    world = points(20)
    told = TRUE.points(world) + np.random.default_rng(1).normal(0, 0.01, (20, 3))
    told[[2, 7, 8, 13]] += (30, -20, 10)
    fit = fit_similarity(world, told, up=up)
    assert not fit.used[[2, 7, 8, 13]].any()
    assert fit.used.sum() >= 13
    assert_same(fit.similarity, TRUE, tolerance=0.01)
    assert 0.005 < fit.deviation < 0.04
    assert 0 < fit.turn_error < 0.5
    assert 0 < fit.scale_error < 0.01


def test_deviations_say_how_far_off_fits_are():
    """Over many noisy fits the errors are as large as was said, within sampling."""
    rng, apart, said = np.random.default_rng(2), [], []
    world = points(12)
    for _ in range(30):
        told = TRUE.points(world) + rng.normal(0, 0.05, (12, 3))
        fit = fit_similarity(world, told)
        apart.append(fit.similarity.scale / TRUE.scale - 1)
        said.append(fit.scale_error)
    assert np.std(apart) == pytest.approx(np.sqrt(np.mean(np.square(said))), rel=0.5)


def test_up_makes_do_with_a_line_with_two_points_and_without_heights():
    line = np.outer(np.arange(6.0), (1.0, 0.2, -0.1))
    for world in (line, line[:2]):
        told = TRUE.points(world)
        told[0, 2] = np.nan
        assert_same(fit_similarity(world, told, up=UP).similarity, TRUE)
    told[:, 2] = np.nan
    similarity = fit_similarity(line[:2], told, up=UP).similarity
    assert similarity.translation[2] == 0
    assert similarity.scale == pytest.approx(TRUE.scale)


def test_a_known_scale_is_kept():
    world = points(6)
    fit = fit_similarity(world, 1.1 * TRUE.points(world), scale=TRUE.scale)
    assert fit.similarity.scale == TRUE.scale
    assert fit.scale_error is None


@pytest.mark.parametrize(
    ("world", "up", "says"),
    [
        (points(2), None, "2 points are known on both sides; 3 at least are needed; two do"),
        (points(1), UP, "2 at least"),
        (np.outer(np.arange(5.0), (1, 2, 3)), None, "on a line"),
        (np.ones((5, 3)), None, "in one place"),
        (np.outer(np.arange(5.0), UP), UP, "in one place"),
    ],
)
def test_degenerate_positions_are_refused(world, up, says):
    with pytest.raises(OptionError, match=says):
        fit_similarity(world, TRUE.points(world), up=up)


def test_positions_that_err_more_than_they_are_apart_are_refused():
    world, rng = points(8), np.random.default_rng(5)
    with pytest.raises(OptionError, match="further apart"):
        fit_similarity(world, TRUE.points(world) + rng.normal(0, 6, (8, 3)))
    with pytest.raises(OptionError):
        fit_similarity(world, np.zeros((8, 3)))


def test_up_is_what_most_cameras_agree_on():
    up = np.array([0.2, -1.0, 0.3]) / np.linalg.norm((0.2, -1.0, 0.3))
    rng = np.random.default_rng(0)
    poses, turns = [], []
    for number in range(21):
        pose = look_at(rng.normal(size=3), rng.normal(size=3), up)
        turn = number % 4
        # Stored on its side: the tag turns it back.
        pose[:3, :3] = pose[:3, :3] @ rotation_from_vector((0, 0, np.pi / 2 * turn))
        if number % 3 == 0:
            pose[:3, :3] = pose[:3, :3] @ rotation_from_vector((0, 0, 0.7))
        poses.append(pose)
        turns.append(turn)
    found, off = up_by_cameras(np.array(poses), turns)
    assert rotation_angle_deg(turned_up(found), turned_up(up)) < 0.3
    assert off < 0.3
