"""Choosing frames to compare."""

import numpy as np

from reloc.geometry import look_at
from reloc.stereo import neighbours_among, stereo_neighbours


def looking_ahead(centers):
    return np.stack([look_at(c, np.asarray(c) + (0, 1, 0)) for c in centers])


def test_neighbours_stand_beside_a_frame_and_apart_from_each_other():
    poses = looking_ahead([(0.02 * k, 0.0, 0.0) for k in range(100)])
    for row, picks in enumerate(stereo_neighbours(poses, depth=2.0)):
        baselines = np.abs(poses[picks, 0, 3] - poses[row, 0, 3])
        assert 2 <= len(picks) <= 4
        assert ((baselines > 0.06) & (baselines < 1.6)).all()
        assert abs(baselines[0] - 0.3) < 0.03
        gaps = np.abs(np.subtract.outer(poses[picks, 0, 3], poses[picks, 0, 3]))
        assert gaps[~np.eye(len(picks), dtype=bool)].min() > 0.1


def test_a_camera_that_only_turns_has_none():
    angles = np.radians(np.arange(0, 360, 10))
    poses = np.stack([look_at((0, 0, 0), (np.cos(a), np.sin(a), 0)) for a in angles])
    assert stereo_neighbours(poses, depth=2.0) == [[] for _ in angles]


def test_who_looks_elsewhere_is_no_neighbour():
    away = look_at((0.3, 0, 0), (0.3, -1, 0))
    poses = np.concatenate([looking_ahead([(0, 0, 0), (0.3, 0, 0.1)]), away[None]])
    assert stereo_neighbours(poses, depth=2.0) == [[1], [0], []]


def test_the_unit_of_length_does_not_matter():
    rng = np.random.default_rng(0)
    poses = looking_ahead(rng.uniform(-1, 1, (30, 3)))
    scaled = poses.copy()
    scaled[:, :3, 3] *= 100
    assert stereo_neighbours(poses, depth=2.0) == stereo_neighbours(scaled, depth=200.0)


def test_neighbours_of_some_are_those_that_all_have_among_the_same():
    poses = looking_ahead(np.random.default_rng(0).uniform(-1, 1, (30, 3)))
    among = list(range(29, -1, -2))
    beside = dict(zip(among, stereo_neighbours(poses[among], depth=2.0), strict=True))
    of = {29, 7, 4}
    expected = {among[place] for row in (29, 7) for place in beside[row]}
    assert neighbours_among(poses, among, of=of, depth=2.0) == expected
    assert 2 < len(expected) < len(among)
