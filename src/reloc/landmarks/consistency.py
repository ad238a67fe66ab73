"""Matches that other views confirm: a wrong one gives a depth that no other view agrees with."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted
from reloc.landmarks.epipolar import View

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Pairs = Mapping[tuple[int, int], Indices]

# Of the way to the view that it confirms a match with, a third view is at least so far from that.
APART = 0.1


def confirmations(
    views: Sequence[View], matches: Pairs, *, tolerance: float
) -> dict[tuple[int, int], Indices]:
    """How many third views see the point of a match where they matched one of its keypoints.

    Args:
        views: with poses and keypoints.
        matches: rows (M, 2) of keypoints by pairs of views.
        tolerance: pixels between the point of one match and the keypoint of another, at most.

    Returns:
        Counts (M,) by pairs of views, those for both keypoints of a match together.
    """
    counts = {pair: np.zeros(len(rows), np.int64) for pair, rows in matches.items()}
    partners: list[list[tuple[int, int]]] = [[] for _ in views]
    for a, b in matches:
        partners[a].append((a, b))
        partners[b].append((a, b))
    for number, pairs in enumerate(partners):
        if len(pairs) > 1:
            _confirm(number, pairs, views, matches, counts, tolerance)
    return counts


def _confirm(
    number: int,
    pairs: Sequence[tuple[int, int]],
    views: Sequence[View],
    matches: Pairs,
    counts: dict[tuple[int, int], Indices],
    tolerance: float,
) -> None:
    """Counts for the matches of a view which others of the same keypoint agree with them."""
    own = views[number]
    seen_with = [_partner(number, pair, views, matches) for pair in pairs]
    keys = np.concatenate([keypoints for keypoints, *_ in seen_with])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    rays, rotation, center, focal, which = (
        np.concatenate([found[field] for found in seen_with])[order] for field in range(1, 6)
    )
    mine = np.c_[own.rays[keys], np.ones(len(keys))]
    toward = np.einsum("mij,mj->mi", rotation, np.c_[rays, np.ones(len(rays))])
    # The depth at which the own ray comes nearest to that of the other view.
    across = np.cross(mine, toward)
    square = np.maximum((across**2).sum(axis=1), 1e-300)
    depth = (np.cross(center, toward) * across).sum(axis=1) / square
    first, second = _pairs_within(keys)
    other = which[first] != which[second]
    first, second = first[other], second[other]
    # Two photos from one spot see a match on the same line, right or wrong.
    gap = np.linalg.norm(center[first] - center[second], axis=1)
    apart = gap > APART * np.linalg.norm(center[first], axis=1)
    first, second = first[apart], second[apart]
    point = depth[first, None] * mine[first]
    seen = np.einsum("mji,mj->mi", rotation[second], point - center[second])
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.linalg.norm(seen[:, :2] / seen[:, 2:] - rays[second], axis=1) * focal[second]
    agree = (errors < tolerance) & (seen[:, 2] > 0) & (depth[first] > 0)
    # Each pair of matches is there in both orders; either point may be the one that agrees.
    agreeing = np.maximum(
        np.bincount(first[agree], minlength=len(keys)),
        np.bincount(second[agree], minlength=len(keys)),
    )
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    ends = np.cumsum([len(found[0]) for found in seen_with])[:-1]
    for pair, more in zip(pairs, np.split(agreeing[back], ends), strict=True):
        counts[pair] += more


def _partner(
    number: int, pair: tuple[int, int], views: Sequence[View], matches: Pairs
) -> tuple[Indices, Array, Array, Array, Array, Indices]:
    """Of the matches of a view with another one, in the frame of the view.

    Returns:
        Own keypoints (M,); rays (M, 2) of the other view, its rotation (M, 3, 3), center (M, 3)
        and focal length (M,); its number (M,).
    """
    rows, partner = matches[pair], pair[1]
    if number == partner:
        rows, partner = rows[:, ::-1], pair[0]
    other, count = views[partner], len(rows)
    pose = inverted(views[number].world_from_cam) @ other.world_from_cam
    return (
        rows[:, 0],
        other.rays[rows[:, 1]],
        np.broadcast_to(pose[:3, :3], (count, 3, 3)),
        np.broadcast_to(pose[:3, 3], (count, 3)),
        np.full(count, other.focal),
        np.full(count, partner),
    )


def _pairs_within(keys: Indices) -> tuple[Indices, Indices]:
    """All ordered pairs of rows with the same key; keys (M,) ascending."""
    _, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    partners = sizes[inverse]
    first = np.repeat(np.arange(len(keys)), partners)
    inside = np.arange(len(first)) - np.repeat(np.cumsum(partners) - partners, partners)
    return first, np.repeat(begins[inverse], partners) + inside
