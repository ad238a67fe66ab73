"""Walks stay clear of the furniture, and two of them share a room but not a path."""

import numpy as np
import pytest

from reloc.geometry import pose_problem, rotation_angle_deg
from reloc.synthetic.paths import looking, shows_enough, walk
from reloc.synthetic.rooms import make_room


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 8))]
)
def test_walks_are_clear_and_differ(seed):
    world = make_room(seed)
    first, second = walk(world, seed=0, count=20), walk(world, seed=1, count=8)
    assert len(first) == 20 and len(second) == 8
    for pose in first + second:
        assert pose_problem(pose) is None
        assert shows_enough(world, pose)
    centers, others = (np.array([p[:3, 3] for p in poses]) for poses in (first, second))
    assert world.clearance(np.concatenate([centers, others])).min() > 0.3
    apart = np.linalg.norm(others[:, None] - centers[None], axis=2)
    turned = np.array([[rotation_angle_deg(a[:3, :3], b[:3, :3]) for b in first] for a in second])
    assert apart.min() > 1e-3
    # Near enough for the first walk to have seen what the second sees.
    assert np.median((apart / 1.5 + turned / 45).min(axis=1)) < 1.0
    # All around the room, not in one corner.
    assert (np.ptp(centers, axis=0)[:2] > 0.25 * world.size[:2]).all()


def test_a_walk_follows_from_its_seed():
    world = make_room(1)
    assert np.array_equal(walk(world, seed=0, count=5), walk(world, seed=0, count=5))
    assert walk(world, seed=0, count=0) == []


def test_look_points_where_it_says():
    pose = looking(np.array([1.0, 2.0, 3.0]), np.pi / 2, 0.3, 0.2)
    np.testing.assert_allclose(pose[:3, 2], (0, np.cos(0.3), np.sin(0.3)), atol=1e-12)
    assert pose[2, 1] < 0  # the image's down is the world's down
