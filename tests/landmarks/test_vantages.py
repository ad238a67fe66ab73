"""Which landmarks the frames beside a pose show."""

import numpy as np
import pytest

from reloc.geometry import look_at
from reloc.landmarks import LandmarkOptions
from reloc.landmarks.building import landmarks_of, matched_frames
from reloc.landmarks.vantages import GROUPS, MOST_GROUPS, NEAREST, Vantages, of_both, vantages_of


def row_of_poses(count):
    """Cameras side by side, a tenth of the depth apart."""
    return np.array(
        [look_at((0.3 * n, 0, 0), (0.3 * n, 0, 3), up=(0, -1, 0)) for n in range(count)]
    )


def test_few_frames_are_a_group_each():
    poses = row_of_poses(5)
    observations = np.array([(0, 0), (0, 1), (1, 3), (2, 4)])
    made = vantages_of(poses, observations, count=3, depth=3.0)
    order = np.argsort(made.centers[:, 0])
    np.testing.assert_allclose(made.centers[order], poses[:, :3, 3])
    np.testing.assert_allclose(made.axes, np.tile([0, 0, 1], (5, 1)), atol=1e-6)
    shown = [(0, 0), (0, 1), (1, 3), (2, 4)]
    assert [tuple(pair) for pair in np.argwhere(made.seen[:, order])] == shown


def test_of_many_frames_neighbors_are_a_group():
    poses = row_of_poses(2 * GROUPS)
    each = np.arange(len(poses))
    made = vantages_of(poses, np.stack([each, each], axis=1), count=len(poses), depth=3.0)
    assert len(made.centers) == GROUPS
    group = made.seen.argmax(axis=1)
    # In a row no group is between the frames of another.
    assert (np.diff(group) != 0).sum() == GROUPS - 1
    assert np.bincount(group).max() <= 3


def test_frames_in_one_place_are_groups_too():
    made = vantages_of(np.tile(np.eye(4), (3, 1, 1)), np.zeros((1, 2), int), count=1, depth=1.0)
    assert np.isfinite(made.centers).all()
    assert made.seen.any()


@pytest.mark.parametrize(("agreeing", "groups"), [(20, NEAREST), (10, 4), (1, 10)])
def test_as_many_groups_count_as_show_enough(agreeing, groups):
    """Ten groups in a row, each of which shows 30 landmarks, some of which agree with the pose."""
    poses, rows = row_of_poses(10), np.arange(300)
    seen = rows[:, None] // 30 == np.arange(10)
    vantages = Vantages(poses[:, :3, 3], poses[:, :3, 2].astype(np.float32), 3.0, seen)
    agree = rows % 30 < agreeing
    shown = vantages.beside(poses[0], rows, agree)
    assert set(rows[shown] // 30) == set(range(groups))
    backward = vantages.beside(poses[0], rows[::-1], agree[::-1])
    np.testing.assert_array_equal(backward[::-1], shown)


def test_those_of_two_maps_stay_apart():
    poses = row_of_poses(4)
    one, other = (
        vantages_of(poses[part], np.array([(0, 0), (1, 1)]), count=2, depth=3.0)
        for part in (slice(2), slice(2, 4))
    )
    both = of_both(one, other)
    assert both is not None
    assert both.seen.shape == (4, 4)
    assert (both.seen[:2, :2] == one.seen).all()
    assert (both.seen[2:, 2:] == other.seen).all()
    assert both.seen.sum() == 4
    assert of_both(one, None) is None
    many = Vantages(
        np.zeros((MOST_GROUPS, 3)), np.zeros((MOST_GROUPS, 3), np.float32), 1.0, one.seen
    )
    assert of_both(one, many) is None


def test_landmarks_tell_which_frames_show_them(wall_frames):
    options = LandmarkOptions(count=200)
    made = landmarks_of(matched_frames(wall_frames, depth=3.0, options=options), options=options)
    vantages = made.landmarks.vantages
    assert vantages is not None
    group = np.array(
        [
            np.linalg.norm(vantages.centers - frame.world_from_cam[:3, 3], axis=1).argmin()
            for frame in made.frames
        ]
    )
    shown = np.zeros_like(vantages.seen)
    shown[made.observations[:, 0], group[made.observations[:, 1]]] = True
    assert (shown == vantages.seen).all()
    part = made.landmarks.subset(np.array([7, 3])).vantages
    assert part is not None
    assert (part.seen == vantages.seen[[7, 3]]).all()
