"""What landmarks look like: the means of what the views of their tracks see."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.images.sift import LENGTH
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.keypoints import Keypoints, unit_descriptors
from reloc.landmarks.landmarks import Landmarks
from reloc.landmarks.tracks import Tracks
from reloc.landmarks.triangulation import Triangulated

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def of_observations(values: Sequence[NDArray[Any]], tracks: Tracks) -> NDArray[Any]:
    """The rows (M, ...) of the views' values that belong to observations."""
    begins = np.cumsum([0, *(len(v) for v in values)])
    rows = begins[tracks.views] + tracks.keypoints
    return np.concatenate(list(values))[rows]


def described(
    tracks: Tracks,
    found: Triangulated,
    chosen: Indices,
    poses: Array,
    focals: Array,
    keypoints: Sequence[Keypoints],
    origin: Array,
) -> Landmarks:
    """The chosen points with the means of what their views see.

    Args:
        tracks: the observations of the chosen points.
        found: the points of all tracks.
        chosen: (N,) numbers of the tracks of the chosen points, ascending.
        poses: (V, 4, 4) ``world_from_cam`` of the views around ``origin``.
        focals: (V,) pixels per unit at z = 1, of the images as they were read.
        keypoints: of each view.
        origin: (3,) of the points, in the world.
    """
    points = found.points[chosen]
    number = np.searchsorted(chosen, tracks.track)
    shift = poses[tracks.views, :3, 3] - points[number]
    distance = np.linalg.norm(shift, axis=1)
    toward = shift / distance[:, None]
    directions = _unit(_sums(toward, number, len(chosen)))
    cosines = np.ones(len(chosen))
    np.minimum.at(cosines, number, (toward * directions[number]).sum(axis=1))
    diameters = of_observations([k.sizes for k in keypoints], tracks)
    counts = np.bincount(number, minlength=len(chosen))
    sizes = (
        np.bincount(number, diameters * distance / focals[tracks.views], minlength=len(chosen))
        / counts
    )
    descriptors = np.zeros((len(chosen), LENGTH))
    for view in np.unique(tracks.views):
        own = tracks.views == view
        seen = unit_descriptors(keypoints[view].descriptors[tracks.keypoints[own]])
        np.add.at(descriptors, number[own], seen)
    means = _unit(descriptors).astype(np.float32)
    basis = DescriptorBasis.of(means)
    worst = np.linalg.eigvalsh(found.covariances[chosen])[:, -1]
    return Landmarks(
        points=points + origin,
        deviations=np.sqrt(np.maximum(worst, 0)).astype(np.float32),
        directions=directions.astype(np.float32),
        spreads=np.arccos(np.clip(cosines, -1, 1)).astype(np.float32),
        sizes=sizes.astype(np.float32),
        descriptors=basis.codes(means),
        basis=basis,
    )


def _sums(values: Array, number: Indices, count: int) -> Array:
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, number, values)
    return sums


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
