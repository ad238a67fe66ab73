"""Landmarks of maps that grow or lose a part."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.landmarks.landmarks import MAX_LANDMARKS, Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.landmarks.vantages import of_both
from reloc.sampling import even_picks

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def with_both(one: Landmarks | None, other: Landmarks | None) -> Landmarks | None:
    """The landmarks of two maps in one world frame, in the basis of the first.

    Beyond ``MAX_LANDMARKS`` an even share of both is kept.
    """
    if one is None or other is None:
        return other if one is None else one
    codes = one.basis.codes(other.basis.approximated(other.descriptors))
    both = replace(
        one,
        points=np.concatenate([one.points, other.points]),
        deviations=np.concatenate([one.deviations, other.deviations]),
        directions=np.concatenate([one.directions, other.directions]),
        spreads=np.concatenate([one.spreads, other.spreads]),
        sizes=np.concatenate([one.sizes, other.sizes]),
        descriptors=np.concatenate([one.descriptors, codes]),
        bits=max(one.bits, other.bits),
        vantages=of_both(one.vantages, other.vantages),
    )
    return both.subset(even_picks(len(both), MAX_LANDMARKS))


def seen_by_any(landmarks: Landmarks, cameras: Sequence[tuple[Array, Camera]]) -> Indices:
    """Rows of the landmarks that are in view of one of the cameras, ascending.

    Args:
        landmarks: of a map.
        cameras: ``world_from_cam`` (4, 4) and intrinsics of each.
    """
    matcher, seen = LandmarkMatcher(landmarks), np.zeros(len(landmarks), bool)
    for pose, camera in cameras:
        seen[matcher.visible(pose, camera)[0]] = True
    return np.flatnonzero(seen)
