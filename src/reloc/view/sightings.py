"""Which images see which points of a cloud: the tracks of a COLMAP model."""

from collections.abc import Sequence

import numpy as np

from reloc.geometry import inverted, transformed
from reloc.scenes.scene import Frame
from reloc.scenes.writers.colmap_binary import Sighting
from reloc.view.point_cloud import PointCloud
from reloc.view.points import not_hidden, visible_points

GRID = 60  # cells along an image in which points hide others
STEEPEST = np.cos(np.radians(80))  # a surface seen more slantingly is not counted as seen


def sightings(cloud: PointCloud, frames: Sequence[Frame], *, most: int = 2000) -> list[Sighting]:
    """Where each frame sees points: inside the image, from their front, with nothing before them.

    Where a frame sees many, the same points are preferred in all frames, so that tracks are long.

    Args:
        cloud: the points.
        frames: with poses.
        most: sightings of a frame.
    """
    rank = np.random.default_rng(0).permutation(len(cloud))
    found = []
    for frame in frames:
        assert frame.world_from_cam is not None
        pose, camera = frame.world_from_cam, frame.camera
        pixels, depth, rows = visible_points(cloud.points, camera, pose)
        in_camera = transformed(inverted(pose), cloud.points[rows])
        facing = -(cloud.normals[rows] @ pose[:3, :3] * in_camera).sum(axis=1)
        seen = not_hidden(pixels, depth, max(camera.width, camera.height) / GRID)
        seen &= facing > STEEPEST * np.linalg.norm(in_camera, axis=1)
        pixels, rows = pixels[seen], rows[seen]
        first = np.argsort(rank[rows])[:most]
        found.append(Sighting(pixels[first], rows[first]))
    return found
