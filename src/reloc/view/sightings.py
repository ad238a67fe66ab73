"""Which images see which points of a cloud: the tracks of a COLMAP model."""

from collections.abc import Sequence

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
    nearest = _nearest(cloud, frames)
    sightings = {}
    for number, frame in enumerate(frames):
        pixels, rows, _ = _seen(cloud, frame)
        counts = (nearest[rows] == number).any(axis=1)
        counts[np.argsort(rank[rows])[:LONG]] = True
        sightings[frame.name] = Sighting(pixels[counts], rows[counts])
    return SparsePoints(cloud.points, cloud.colours, sightings).with_tracks(frames)


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


def _nearest(cloud: PointCloud, frames: Sequence[Frame]) -> NDArray[np.intp]:
    """Numbers (N, SHORT) of the frames that see each point from nearest; -1 where fewer see it."""
    # Frame by frame, for all sightings of a large cloud at a time would be gigabytes.
    distances = np.full((len(cloud), SHORT), np.inf)
    numbers = np.full((len(cloud), SHORT), -1)
    for number, frame in enumerate(frames):
        _, rows, distance = _seen(cloud, frame)
        farthest = distances[rows].argmax(axis=1)
        nearer = distance < distances[rows, farthest]
        rows, farthest = rows[nearer], farthest[nearer]
        distances[rows, farthest] = distance[nearer]
        numbers[rows, farthest] = number
    return numbers
