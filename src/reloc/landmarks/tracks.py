"""Tracks: keypoints of many views that are one point of the place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Pairs = Mapping[tuple[int, int], Indices]

# Views that confirm the matches of a track that has to be parted, at least, round by round.
LEAST_CONFIRMATIONS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20)
# Pixels: keypoints of one view that are so near are one point at several sizes and turns.
APART = 3.0


@dataclass(frozen=True)
class Tracks:
    """Observations, sorted by track.

    Attributes:
        views: (M,) the view of each observation.
        keypoints: (M,) its row among the keypoints of the view.
        track: (M,) number of its track, ascending from 0 without gaps.
        pairs: (E, 2) rows of observations that were matched with one another.
    """

    views: Indices
    keypoints: Indices
    track: Indices
    pairs: Indices

    @property
    def count(self) -> int:
        """Number of tracks."""
        return int(self.track[-1]) + 1 if len(self.track) else 0

    def only(self, which: NDArray[np.bool_]) -> "Tracks":
        """Some of the observations (M,), with the numbers of their tracks and without pairs."""
        return Tracks(
            self.views[which], self.keypoints[which], self.track[which], np.zeros((0, 2), np.int64)
        )


def join_tracks(
    matches: Pairs, confirmations: Pairs, pixels: Sequence[NDArray[np.float32]]
) -> Tracks:
    """Joins matches to tracks: what is matched, directly or over others, is one track.

    A few wrong matches would join most of a place to one track. Such a track has keypoints at
    different places of one view; it is parted, in rounds, by leaving out the matches that the
    fewest views confirm, until it has none or all of its matches are gone.

    Args:
        matches: rows (M, 2) of keypoints by pairs of views.
        confirmations: of each match, the views (M,) that confirm it; those without are left out.
        pixels: (K, 2) of the keypoints of each view.
    """
    begins = np.concatenate([[0], np.cumsum([len(found) for found in pixels])]).astype(np.int64)
    if not matches or not begins[-1]:
        return _no_tracks()
    edges = np.concatenate([rows + [begins[a], begins[b]] for (a, b), rows in matches.items()])
    counts = np.concatenate([confirmations[pair] for pair in matches])
    view = np.searchsorted(begins, np.arange(begins[-1]), side="right") - 1
    places = np.concatenate(list(pixels))
    joined = [np.zeros((0, 2), np.int64)]
    for least in LEAST_CONFIRMATIONS:
        edges, counts = edges[counts >= least], counts[counts >= least]
        nodes, ends = _numbered(edges)
        label = _components(ends, len(nodes))
        parted = _seen_apart(label, view[nodes], places[nodes])[ends[:, 0]]
        joined.append(edges[~parted])
        edges, counts = edges[parted], counts[parted]
    pairs = np.concatenate(joined)
    if not len(pairs):
        return _no_tracks()
    nodes, ends = _numbered(pairs)
    _, track = np.unique(_components(ends, len(nodes)), return_inverse=True)
    order = np.argsort(track, kind="stable")
    place = np.empty(len(nodes), np.int64)
    place[order] = np.arange(len(nodes))
    views = view[nodes]
    return Tracks(
        views[order], (nodes - begins[views])[order], track[order].astype(np.int64), place[ends]
    )


def _no_tracks() -> Tracks:
    nothing = np.zeros(0, np.int64)
    return Tracks(nothing, nothing, nothing, nothing.reshape(0, 2))


def _numbered(edges: Indices) -> tuple[Indices, Indices]:
    """The nodes of edges (E, 2), ascending, and the edges by their rows."""
    nodes, flat = np.unique(edges, return_inverse=True)
    return nodes, flat.reshape(-1, 2)


def _seen_apart(label: Indices, view: Indices, places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the component (N,) of a node has nodes at different places (N, 2) of one view."""
    _, group = np.unique(np.stack([label, view]), axis=1, return_inverse=True)
    count = int(group.max(initial=-1)) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, group, places)
    np.maximum.at(high, group, places)
    apart = np.zeros(len(label), bool)
    apart[label[((high - low).max(axis=1) > APART)[group]]] = True
    return apart[label]


def _components(edges: Indices, count: int) -> Indices:
    """The lowest node (N,) that each node hangs together with."""
    label = np.arange(count)
    while True:
        lowest = label[edges].min(axis=1)
        before = label.copy()
        np.minimum.at(label, edges[:, 0], lowest)
        np.minimum.at(label, edges[:, 1], lowest)
        np.minimum.at(label, before, label)
        label = label[label]
        if (label == before).all():
            return label
