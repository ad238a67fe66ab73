"""The scene as a map believes it: coloured points from its own predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError, ImageError
from reloc.geometry import inverted
from reloc.images.files import read_image
from reloc.localize.localizer import Localizer
from reloc.pose.solver import reprojection_errors
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame


@dataclass(frozen=True)
class PointCloud:
    """Points (N, 3) float64 in the world frame and their colours (N, 3) uint8 RGB."""

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]


def map_point_cloud(
    localizer: Localizer,
    frames: Sequence[Frame],
    *,
    views: int = 60,
    max_error: float = 6.0,
    progress: Progress = silent,
) -> PointCloud:
    """What the map predicts for some of its own mapping images, coloured by them.

    Args:
        localizer: of the map.
        frames: posed frames with their images, best those that the map was made from.
        views: how many of them to look at, evenly spaced.
        max_error: points that reproject further than this from their cell, in pixels, are left
            out, which drops what the map never learned.
        progress: told after every view.
    """
    points, colours = [np.zeros((0, 3))], [np.zeros((0, 3), np.uint8)]
    picks = np.unique(np.linspace(0, len(frames) - 1, min(views, len(frames))).astype(int))
    for done, index in enumerate(picks, start=1):
        frame = frames[index]
        if frame.world_from_cam is None:
            continue
        try:
            image = read_image(frame.image)
            seen = localizer.correspondences(image, frame.camera)
        except (ImageError, CameraError):
            continue
        errors = reprojection_errors(
            inverted(frame.world_from_cam), seen.scene_coordinates, seen.rays, seen.focal
        )
        keep = errors < max_error
        at = np.clip(seen.pixels[keep].astype(int), 0, np.array(image.shape[1::-1]) - 1)
        points.append(seen.scene_coordinates[keep])
        colours.append(image[at[:, 1], at[:, 0]])
        progress("point cloud", done, len(picks))
    return PointCloud(np.concatenate(points), np.concatenate(colours))
