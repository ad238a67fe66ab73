"""Fewer and smaller landmarks, for a map that has to be small."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.geometry import Camera
from reloc.landmarks.landmarks import Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.landmarks.selection import cells_of_views, select_tracks
from reloc.sampling import even_picks, evenly

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Steps, in standard deviations, that round a normal distribution best to so many bits (Max 1960).
STEPS = {3: 0.586, 4: 0.335, 5: 0.188, 6: 0.104, 8: 0.031}
# Cameras by which landmarks are chosen; more of them see the same.
MAX_VIEWS = 200


@dataclass(frozen=True)
class ReductionOptions:
    """What is to be left of landmarks.

    Attributes:
        count: landmarks, at most.
        dimensions: numbers of a descriptor, at most; they come in eights.
        bits: of each of these numbers.

    Raises:
        OptionError: impossible values.
    """

    count: int
    dimensions: int
    bits: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.dimensions < 8 or self.dimensions % 8:
            raise OptionError("landmarks are reduced to one at least, of dimensions in eights")
        if self.bits not in STEPS:
            raise OptionError(f"bits of landmarks must be one of {', '.join(map(str, STEPS))}")


def reduced(
    landmarks: Landmarks, cameras: Sequence[tuple[Array, Camera]], *, options: ReductionOptions
) -> Landmarks:
    """Some of the landmarks, each in fewer bytes.

    Args:
        landmarks: of a map.
        cameras: ``world_from_cam`` (4, 4) and intrinsics of those that the map was made from. Each
            of them, and each part of its image, is to keep its share.
        options: what is to be left.
    """
    kept = landmarks.subset(most_useful(landmarks, cameras, most=options.count))
    codes = kept.descriptors[:, : options.dimensions].astype(np.float64)
    factors = np.maximum(1, np.rint(STEPS[options.bits] * codes.std(axis=0)))
    most = 2 ** (options.bits - 1) - 1
    rounded = factors * np.clip(np.rint(codes / factors), -most, most)
    basis = replace(kept.basis, directions=kept.basis.directions[:, : options.dimensions])
    return replace(
        kept,
        descriptors=np.clip(rounded, -127, 127).astype(np.int8),
        basis=basis,
        bits=options.bits,
    )


def most_useful(
    landmarks: Landmarks, cameras: Sequence[tuple[Array, Camera]], *, most: int
) -> Indices:
    """Rows, ascending, of ``most`` landmarks at most, chosen as those of a new map are.

    The views that saw a landmark are not kept in a map: all cameras that have it in view count.
    If they have too few in view, an even share of the others fills up.
    """
    if len(landmarks) <= most:
        return np.arange(len(landmarks))
    matcher = LandmarkMatcher(landmarks)
    seen = [np.zeros((3, 0), np.int64)]
    for number, (pose, camera) in enumerate(evenly(cameras, MAX_VIEWS)):
        rows, pixels, _ = matcher.visible(pose, camera)
        sizes = np.tile([camera.width, camera.height], (len(rows), 1))
        cells = cells_of_views(pixels.astype(np.float32), sizes)
        seen.append(np.stack([rows, np.full(len(rows), number), cells]))
    track, views, cells = np.concatenate(seen, axis=1)
    order = np.argsort(track, kind="stable")
    chosen = track[:0]
    if len(order):
        chosen = select_tracks(track[order], views[order], cells[order], most=most)
    others = np.setdiff1d(np.arange(len(landmarks)), track)
    return np.union1d(chosen, others[even_picks(len(others), most - len(chosen))])
