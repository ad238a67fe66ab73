"""Which landmarks a map keeps: those that give every view, and every part of it, its share."""

import heapq

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

# A view is parted into so many cells by so many, each of which is to hold landmarks: what is seen
# in one corner only does not fix a pose.
CELLS = 6


def cells_of_views(pixels: NDArray[np.float32], sizes: Indices) -> Indices:
    """The cell (M,) of its view that each keypoint lies in.

    Args:
        pixels: (M, 2).
        sizes: (M, 2) width and height of the image of each.
    """
    cells = np.clip((CELLS * pixels / sizes).astype(np.int64), 0, CELLS - 1)
    return cells[:, 1] * CELLS + cells[:, 0]


def select_tracks(track: Indices, views: Indices, cells: Indices, *, most: int) -> Indices:
    """Numbers of ``most`` of the tracks, at most, ascending.

    Greedy: each time the track that adds most, where a further landmark in a cell of a view adds
    one over the number that it then has. What a track adds only falls as others are taken, so that
    its last known gain is an upper bound (Minoux 1978).

    Args:
        track: (M,) number of the track of each observation, ascending.
        views: (M,) of the observations.
        cells: (M,) of the observations, in their views.
        most: tracks to choose.
    """
    numbers, first = np.unique(track, return_index=True)
    if len(numbers) <= most:
        return numbers
    place = views * CELLS**2 + cells
    _, place = np.unique(place, return_inverse=True)
    pieces = np.split(place, first[1:])
    share = np.ones(int(place.max()) + 1)
    gains = np.add.reduceat(share[place], first)
    heap = [(-float(gain), row) for row, gain in enumerate(gains)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < most:
        _, row = heap[0]
        gain = float(share[pieces[row]].sum())
        # Still ahead of what all others may add at most.
        if len(heap) == 1 or gain >= -min(heap[1:3])[0]:
            heapq.heappop(heap)
            chosen.append(row)
            share[pieces[row]] = 1 / (1 / share[pieces[row]] + 1)
        else:
            heapq.heapreplace(heap, (-gain, row))
    return numbers[np.sort(chosen)]
