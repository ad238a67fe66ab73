import numpy as np

from reloc.landmarks.consistency import confirmed_matches
from reloc.landmarks.epipolar import MatchOptions, epipolar_matches
from reloc.landmarks.tracks import join_tracks


def all_matches(cloud):
    count = len(cloud.views)
    return {
        (a, b): epipolar_matches(cloud.views[a], cloud.views[b], options=MatchOptions())
        for a in range(count)
        for b in range(a + 1, count)
    }


def true_share(cloud, matches):
    right = [cloud.seen[a][r[:, 0]] == cloud.seen[b][r[:, 1]] for (a, b), r in matches.items()]
    return np.mean(np.concatenate(right))


def test_tracks_are_what_hangs_together():
    matches = {(0, 1): np.array([[0, 1], [2, 0]]), (1, 2): np.array([[1, 3]])}
    tracks = join_tracks(matches, [3, 2, 4])
    assert tracks.count == 2
    found = [
        {(int(v), int(k)) for v, k in zip(tracks.views[own], tracks.keypoints[own], strict=True)}
        for own in (tracks.track == 0, tracks.track == 1)
    ]
    assert {(0, 0), (1, 1), (2, 3)} in found
    assert {(0, 2), (1, 0)} in found
    assert (tracks.track[tracks.pairs[:, 0]] == tracks.track[tracks.pairs[:, 1]]).all()


def test_a_long_chain_is_one_track():
    count = 50
    matches = {(n, n + 1): np.array([[0, 0]]) for n in range(count - 1)}
    tracks = join_tracks(matches, [1] * count)
    assert tracks.count == 1
    assert len(tracks.views) == count


def test_without_matches_there_are_no_tracks():
    assert join_tracks({}, [4, 4]).count == 0
    assert join_tracks({(0, 1): np.zeros((0, 2), np.int64)}, [4, 4]).count == 0


def test_wrong_matches_are_not_confirmed(cloud):
    rng = np.random.default_rng(0)
    matches = all_matches(cloud)
    before = sum(map(len, matches.values()))
    spoiled = {}
    for pair, rows in matches.items():
        rows = rows.copy()
        wrong = rng.random(len(rows)) < 0.3
        rows[wrong, 1] = rng.permutation(rows[wrong, 1])
        spoiled[pair] = rows
    kept = confirmed_matches(cloud.views, spoiled, tolerance=3.0)
    assert true_share(cloud, spoiled) < 0.75
    assert true_share(cloud, kept) > 0.97
    assert sum(map(len, kept.values())) > 0.65 * before


def test_two_views_confirm_nothing(cloud):
    rows = all_matches(cloud)[0, 1]
    assert confirmed_matches(cloud.views, {(0, 1): rows}, tolerance=3.0) == {}
