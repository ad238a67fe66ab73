"""Tracks: keypoints of many views that are one point of the place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Pairs = Mapping[tuple[int, int], Indices]


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


def join_tracks(matches: Pairs, counts: Sequence[int]) -> Tracks:
    """Joins matches to tracks: what is matched, directly or over others, is one track.

    Args:
        matches: rows (M, 2) of keypoints by pairs of views.
        counts: keypoints of each view.
    """
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    edges = [
        np.stack([rows[:, 0] + begins[a], rows[:, 1] + begins[b]], axis=1)
        for (a, b), rows in matches.items()
        if len(rows)
    ]
    if not edges:
        nothing = np.zeros(0, np.int64)
        return Tracks(nothing, nothing, nothing, nothing.reshape(0, 2))
    pairs = np.concatenate(edges)
    nodes, flat = np.unique(pairs, return_inverse=True)
    ends = flat.reshape(-1, 2)
    label = _components(ends, len(nodes))
    _, track = np.unique(label, return_inverse=True)
    order = np.argsort(track, kind="stable")
    place = np.empty(len(nodes), np.int64)
    place[order] = np.arange(len(nodes))
    views = np.searchsorted(begins, nodes, side="right") - 1
    return Tracks(
        views[order], (nodes - begins[views])[order], track[order].astype(np.int64), place[ends]
    )


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
