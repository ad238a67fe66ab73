import numpy as np

from reloc.landmarks.consistency import confirmations
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


def confirmed_by(count, matches):
    return {pair: np.full(len(rows), count) for pair, rows in matches.items()}


def apart(count):
    """Keypoints of a view, each at another place."""
    return np.stack([10 * np.arange(count), np.zeros(count)], axis=1).astype(np.float32)


def members(tracks):
    return {
        frozenset(
            (int(v), int(k)) for v, k in zip(tracks.views[own], tracks.keypoints[own], strict=True)
        )
        for own in (tracks.track == number for number in range(tracks.count))
    }


def test_tracks_are_what_hangs_together():
    matches = {(0, 1): np.array([[0, 1], [2, 0]]), (1, 2): np.array([[1, 3]])}
    tracks = join_tracks(matches, confirmed_by(1, matches), [apart(n) for n in (3, 2, 4)])
    assert members(tracks) == {
        frozenset({(0, 0), (1, 1), (2, 3)}),
        frozenset({(0, 2), (1, 0)}),
    }
    assert (tracks.track[tracks.pairs[:, 0]] == tracks.track[tracks.pairs[:, 1]]).all()


def test_a_long_chain_is_one_track():
    count = 50
    matches = {(n, n + 1): np.array([[0, 0]]) for n in range(count - 1)}
    tracks = join_tracks(matches, confirmed_by(1, matches), [apart(1)] * count)
    assert tracks.count == 1
    assert len(tracks.views) == count


def test_without_matches_there_are_no_tracks():
    nothing = {(0, 1): np.zeros((0, 2), np.int64)}
    assert join_tracks({}, {}, [apart(4)] * 2).count == 0
    assert join_tracks(nothing, confirmed_by(1, nothing), [apart(4)] * 2).count == 0
    lone = {(0, 1): np.array([[0, 0]])}
    assert join_tracks(lone, confirmed_by(0, lone), [apart(4)] * 2).count == 0


def test_a_track_at_two_places_of_a_view_is_parted_where_the_fewest_confirm_it():
    # Two points, each matched around three views; one wrong match joins them.
    matches = {
        (0, 1): np.array([[0, 0], [1, 1]]),
        (1, 2): np.array([[0, 0], [1, 1]]),
        (0, 2): np.array([[0, 0], [1, 1], [0, 1]]),
    }
    confirmed = confirmed_by(4, matches) | {(0, 2): np.array([4, 4, 2])}
    parted = {frozenset({(v, point) for v in range(3)}) for point in range(2)}
    assert members(join_tracks(matches, confirmed, [apart(2)] * 3)) == parted
    # Where the keypoints of a view are at one place, they are one point at several sizes.
    near = [apart(2) / 10] * 3
    assert members(join_tracks(matches, confirmed, near)) == {frozenset.union(*parted)}


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
    counts = confirmations(cloud.views, spoiled, tolerance=3.0)
    kept = {pair: rows[counts[pair] > 0] for pair, rows in spoiled.items()}
    assert true_share(cloud, spoiled) < 0.75
    assert true_share(cloud, kept) > 0.97
    assert sum(map(len, kept.values())) > 0.65 * before


def test_two_views_confirm_nothing(cloud):
    rows = all_matches(cloud)[0, 1]
    counts = confirmations(cloud.views, {(0, 1): rows}, tolerance=3.0)
    assert len(rows) and not counts[0, 1].any()


def test_every_third_view_is_counted_for_either_keypoint(cloud):
    matches = all_matches(cloud)
    counts = confirmations(cloud.views, matches, tolerance=3.0)
    rows = matches[0, 1]
    own = np.flatnonzero(cloud.seen[0][rows[:, 0]] == cloud.seen[1][rows[:, 1]])
    partners = np.zeros(len(own), np.int64)
    for pair in matches:
        for side in (0, 1):
            if pair != (0, 1) and side in pair:
                partners += np.isin(rows[own, side], matches[pair][:, pair.index(side)])
    # All that matched them, but for what is off by chance.
    assert (counts[0, 1][own] <= partners).all()
    assert counts[0, 1][own].sum() > 0.9 * partners.sum()
