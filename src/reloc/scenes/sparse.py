"""Points of a place and where images see them, as structure from motion leaves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.scenes.scene import Array, Frame


@dataclass(frozen=True)
class Sighting:
    """What an image sees of some points.

    Attributes:
        pixels: (M, 2) where, centres of pixels at +0.5.
        points: (M,) rows of the points, each once.
    """

    pixels: NDArray[np.float64]
    points: NDArray[np.intp]


NOTHING_SEEN = Sighting(np.zeros((0, 2)), np.zeros(0, np.intp))


@dataclass(frozen=True)
class SparsePoints:
    """Points with the tracks that tie them to images.

    Attributes:
        xyz: (N, 3) float64 in the world.
        rgb: (N, 3) uint8.
        sightings: by the frame's name; a frame that is not there sees none.
    """

    xyz: Array
    rgb: NDArray[np.uint8]
    sightings: Mapping[str, Sighting]

    def __len__(self) -> int:
        return len(self.xyz)

    def seen_by(self, frame: Frame) -> Sighting:
        """Where a frame sees which points; nothing for a frame that is not known."""
        return self.sightings.get(frame.name, NOTHING_SEEN)

    def joined(self, other: "SparsePoints") -> "SparsePoints":
        """These points, then the others."""
        sightings = dict(self.sightings)
        for name, theirs in other.sightings.items():
            mine = self.sightings.get(name, NOTHING_SEEN)
            sightings[name] = Sighting(
                np.concatenate([mine.pixels, theirs.pixels]),
                np.concatenate([mine.points, theirs.points + len(self)]),
            )
        return SparsePoints(
            np.concatenate([self.xyz, other.xyz]), np.concatenate([self.rgb, other.rgb]), sightings
        )

    def with_tracks(self, frames: Sequence[Frame]) -> "SparsePoints":
        """The points that at least two of the frames see, with the sightings of these frames.

        A single sighting ties a point to nothing, and bundle adjustment refuses it.
        """
        seen = [self.seen_by(frame).points for frame in frames]
        kept = np.bincount(np.concatenate([*seen, NOTHING_SEEN.points]), minlength=len(self)) > 1
        new_row = np.cumsum(kept) - 1
        sightings = {}
        for frame in frames:
            sighting = self.seen_by(frame)
            stays = kept[sighting.points]
            sightings[frame.name] = Sighting(
                sighting.pixels[stays], new_row[sighting.points[stays]]
            )
        return SparsePoints(self.xyz[kept], self.rgb[kept], sightings)

    def errors(self, frames: Sequence[Frame]) -> Array:
        """Mean distance (N,) in pixels of the sightings of each point from its projections.

        0 for points that none of the frames sees, infinite where one has the point behind it.
        """
        total, count = np.zeros(len(self)), np.zeros(len(self))
        for frame in frames:
            assert frame.world_from_cam is not None
            sighting = self.seen_by(frame)
            in_camera = transformed(inverted(frame.world_from_cam), self.xyz[sighting.points])
            off = np.linalg.norm(frame.camera.project(in_camera) - sighting.pixels, axis=1)
            total[sighting.points] += np.nan_to_num(off, nan=np.inf)
            count[sighting.points] += 1
        return total / np.maximum(count, 1)
