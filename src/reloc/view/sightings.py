"""Which images see which points of a cloud: the tracks of a COLMAP model."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.reconstruct.point_cloud import PointCloud
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import Sighting, SparsePoints
from reloc.view.points import not_hidden, visible_points

GRID = 60  # cells along an image in which points hide others
STEEPEST = np.cos(np.radians(80))  # a surface seen more slantingly is not counted as seen
LONG = 2000  # points of each image that every image which sees them counts as seen
SHORT = 4  # images, of those that see one of the other points, that count it as seen


def tracked(cloud: PointCloud, frames: Sequence[Frame]) -> SparsePoints:
    """The points of a cloud that at least two frames see, with where they see them.

    A frame sees a point inside the image, from its front, with nothing before it. All sightings of
    a dense cloud would be gigabytes, so only some points have long tracks, the same in all frames:
    these tie frames together. Of the others count the ``SHORT`` frames that come nearest.

    Args:
        cloud: the points.
        frames: with poses.
    """
    rank = np.random.default_rng(0).permutation(len(cloud))
    nearest = _Nearest(len(cloud))
    long = []
    for number, frame in enumerate(frames):
        seen = pixels, rows, _ = _seen(cloud, frame)
        first = np.argsort(rank[rows])[:LONG]
        long.append((pixels[first], rows[first]))
        nearest.add(number, seen)
    sightings = {}
    for frame, some, others in zip(frames, long, nearest.sightings(len(frames)), strict=True):
        pixels, rows = (np.concatenate(pair) for pair in zip(some, others, strict=True))
        rows, kept = np.unique(rows, return_index=True)
        sightings[frame.name] = Sighting(pixels[kept], rows)
    return SparsePoints(cloud.points, cloud.colors, sightings).with_tracks(frames)


Seen = tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]


def _seen(cloud: PointCloud, frame: Frame) -> Seen:
    """Pixels (M, 2), rows (M,) and distances (M,) of the points that a frame sees."""
    assert frame.world_from_cam is not None
    pose, camera = frame.world_from_cam, frame.camera
    pixels, depth, rows = visible_points(cloud.points, camera, pose)
    in_camera = transformed(inverted(pose), cloud.points[rows])
    distance = np.linalg.norm(in_camera, axis=1)
    facing = -(cloud.normals[rows] @ pose[:3, :3] * in_camera).sum(axis=1)
    seen = not_hidden(pixels, depth, max(camera.width, camera.height) / GRID)
    seen &= facing > STEEPEST * distance
    return pixels[seen], rows[seen], distance[seen]


class _Nearest:
    """The ``SHORT`` frames that see each of N points from nearest, and where they see it.

    It is told frame by frame, for all sightings of a large cloud at a time would be gigabytes.
    """

    def __init__(self, count: int) -> None:
        self._distances = np.full((count, SHORT), np.inf)
        self._numbers = np.full((count, SHORT), -1)
        self._pixels = np.zeros((count, SHORT, 2))

    def add(self, number: int, seen: Seen) -> None:
        """Takes in what a frame sees."""
        pixels, rows, distance = seen
        farthest = self._distances[rows].argmax(axis=1)
        nearer = distance < self._distances[rows, farthest]
        rows, farthest = rows[nearer], farthest[nearer]
        self._distances[rows, farthest] = distance[nearer]
        self._numbers[rows, farthest] = number
        self._pixels[rows, farthest] = pixels[nearer]

    def sightings(self, count: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]:
        """Pixels (M, 2) and rows (M,) of the points that count for each of so many frames."""
        order = np.argsort(self._numbers, axis=None, kind="stable")
        ends = np.searchsorted(self._numbers.ravel()[order], np.arange(count + 1))
        for first, last in pairwise(ends):
            rows, places = np.divmod(order[first:last], SHORT)
            yield self._pixels[rows, places], rows
