"""Parting cameras by what they look at."""

import numpy as np
import pytest

from reloc.geometry import look_at
from reloc.methods.ace.clusters import MIN_FRAMES, camera_clusters, cluster_count


def corridor(count, *, step=1.0):
    """Cameras along a line, looking across it."""
    return np.stack([look_at((n * step, 0, 0), (n * step, 3, 0)) for n in range(count)])


def turning(count):
    """Cameras in one spot that look all around."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([look_at((0, 0, 0), (np.cos(a), np.sin(a), 0)) for a in angles])


def test_one_group_is_everything():
    (group,) = camera_clusters(corridor(12), 1, depth=3.0)
    assert group.tolist() == list(range(12))


@pytest.mark.parametrize("poses", [corridor(60), turning(60)], ids=["corridor", "turning"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_groups_cover_all_and_overlap_at_their_borders(poses, count):
    groups = camera_clusters(poses, count, depth=3.0)
    assert len(groups) == count
    membership = np.bincount(np.concatenate(groups), minlength=60)
    assert membership.min() == 1
    assert 60 < membership.sum() < 60 * 1.8
    assert max(map(len, groups)) < 2.5 * 60 / count
    again = camera_clusters(poses, count, depth=3.0)
    assert all((a == b).all() for a, b in zip(groups, again, strict=True))


def test_groups_follow_what_is_seen_not_where_the_cameras_stand():
    """Two walls of a corridor, seen alternately from its middle."""
    poses = np.stack([look_at((0.1 * n, 0, 0), (0.1 * n, 9 * (-1) ** n, 0)) for n in range(40)])
    first, second = camera_clusters(poses, 2, depth=9.0)
    assert {*(first % 2), *(second % 2)} == {0, 1}
    assert len({*(first % 2)}) == len({*(second % 2)}) == 1


def test_neither_unit_nor_world_frame_matters():
    poses = corridor(60)
    moved = poses.copy()
    moved[:, :3, 3] = moved[:, :3, 3] * 100 + (5e5, -2e5, 30)
    plain = camera_clusters(poses, 4, depth=3.0)
    other = camera_clusters(moved, 4, depth=300.0)
    assert all((a == b).all() for a, b in zip(plain, other, strict=True))


def test_no_group_is_too_small_to_learn_from():
    groups = camera_clusters(corridor(13), 10, depth=3.0)
    assert len(groups) == 2
    assert min(map(len, groups)) >= MIN_FRAMES
    spot = np.repeat(corridor(1), 30, axis=0)
    assert len(camera_clusters(spot, 4, depth=3.0)) == 1


def test_the_number_of_heads_grows_with_the_place_and_not_with_its_frames():
    counts = [cluster_count(corridor(n), depth=3.0) for n in (20, 60, 200)]
    assert counts[0] <= counts[1] < counts[2]
    dense = cluster_count(corridor(400, step=0.05), depth=3.0)
    assert dense == cluster_count(corridor(100, step=0.2), depth=3.0)
    assert cluster_count(corridor(23, step=100.0), depth=3.0) == 1
