import numpy as np

from reloc.landmarks.selection import CELLS, cells_of_views, select_tracks


def made(*, tracks=600, views=20, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 8, tracks)
    track = np.repeat(np.arange(tracks), lengths)
    # The first view sees little, the others much.
    weights = np.r_[0.05, np.ones(views - 1)]
    seen = [rng.choice(views, n, replace=False, p=weights / weights.sum()) for n in lengths]
    return track, np.concatenate(seen), rng.integers(0, 3, lengths.sum())


def plain(track, views, cells, most):
    """The same, with every gain computed anew each time."""
    count: dict[int, int] = {}
    chosen: list[int] = []
    place, left = views * CELLS**2 + cells, list(np.unique(track))
    while len(chosen) < most:
        gains = [sum(1 / (1 + count.get(p, 0)) for p in place[track == t]) for t in left]
        best = left.pop(int(np.argmax(gains)))
        chosen.append(best)
        for p in place[track == best]:
            count[p] = count.get(p, 0) + 1
    return count, chosen


def test_views_that_see_little_get_their_share():
    track, views, cells = made()
    chosen = select_tracks(track, views, cells, most=100)
    assert len(chosen) == 100
    own = np.bincount(views[np.isin(track, chosen)], minlength=20)
    all_seen = np.bincount(views, minlength=20)
    assert own[0] > 0.5 * all_seen[0]
    assert own[1:].max() < 2.5 * own[1:].min()


def test_lazy_choices_are_as_good_as_plain_ones():
    track, views, cells = made(tracks=120, views=10)
    chosen = select_tracks(track, views, cells, most=40)
    count, _ = plain(track, views, cells, 40)
    best = sum(sum(1 / n for n in range(1, c + 1)) for c in count.values())
    own = np.isin(track, chosen)
    _, counts = np.unique((views * CELLS**2 + cells)[own], return_counts=True)
    value = sum(sum(1 / n for n in range(1, c + 1)) for c in counts)
    assert abs(value - best) < 1e-9 * best + 0.01 * best


def test_all_are_kept_where_they_fit():
    track = np.array([2, 2, 5, 5, 5])
    views = np.arange(5)
    assert select_tracks(track, views, views, most=2).tolist() == [2, 5]
    assert select_tracks(track[:0], views[:0], views[:0], most=2).tolist() == []


def test_cells_are_of_the_image():
    pixels = np.array([[0, 0], [639.9, 479.9], [640, 480]], np.float32)
    cells = cells_of_views(pixels, np.array([[640, 480]] * 3))
    assert cells.tolist() == [0, CELLS**2 - 1, CELLS**2 - 1]
