"""The scene as a map believes it: coloured points from its own predictions."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError, ImageError
from reloc.images.files import read_image
from reloc.localize.localizer import Localizer
from reloc.maps import SceneMap
from reloc.maps.scene_map import PreviewPoints
from reloc.progress import Progress, silent
from reloc.reconstruct.depth_views import DepthView, confirmed, depth_view, smoothed
from reloc.reconstruct.surface import surface_points
from reloc.sampling import even_picks
from reloc.scenes.scene import Frame, posed


@dataclass(frozen=True)
class PointCloud:
    """Points with their colours, and the side that was seen of them.

    Attributes:
        points: (N, 3) float64, world frame.
        colors: (N, 3) uint8 RGB.
        normals: (N, 3) float32 of length 1, towards the camera that saw the point.
    """

    points: NDArray[np.float64]
    colors: NDArray[np.uint8]
    normals: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)


def preview_cloud(scene_map: SceneMap) -> PointCloud:
    """The few points that a map keeps of its place, if any; which way they face is not kept."""
    preview = scene_map.preview or PreviewPoints(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    unknown = np.zeros((len(preview.points), 3), np.float32)
    return PointCloud(preview.points, preview.colors, unknown)


def map_point_cloud(
    localizer: Localizer,
    frames: Sequence[Frame],
    *,
    views: int = 60,
    max_error: float = 12.0,
    confirmations: int = 3,
    max_points: int = 500_000,
    progress: Progress = silent,
) -> PointCloud:
    """What the map predicts for some of its own mapping images, coloured by them.

    Each view becomes a depth image, of which stays what other views confirm. Between cells that lie
    on one surface depth is interpolated, so that points are as dense as the texture of the photos.

    Args:
        localizer: of the map.
        frames: posed frames with their images, best those that the map was made from.
        views: how many of them to look at, evenly spaced.
        max_error: points that reproject further than this from their cell, in pixels, are left
            out, which drops what the map never learned.
        confirmations: how many other views have to see the same surface at a point.
        max_points: where there are more, the cloud is thinned evenly in space.
        progress: told after every view.
    """
    known = posed(frames)
    picks = even_picks(len(known), views)
    seen: list[tuple[Frame, DepthView]] = []
    for done, index in enumerate(picks, start=1):
        frame = known[index]
        assert frame.world_from_cam is not None
        try:
            cells = localizer.correspondences(read_image(frame.image), frame.camera)
        except (ImageError, CameraError):
            continue
        view = depth_view(
            cells,
            frame.camera,
            frame.world_from_cam,
            stride=localizer.extractor.stride,
            max_error=max_error,
        )
        seen.append((frame, smoothed(view)))
        progress("point cloud", done, len(picks))
    kept = confirmed([view for _, view in seen], least=confirmations)
    parts = []
    for view, (frame, _) in zip(kept, seen, strict=True):
        with suppress(ImageError):  # gone since it was first read
            parts.append(surface_points(view, read_image(frame.image)))
    if not parts:
        return PointCloud(
            np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.float32)
        )
    points, colors, normals, widths = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return thinned(PointCloud(points, colors, normals), widths, most=max_points)


def thinned(cloud: PointCloud, widths: NDArray[np.float64], *, most: int) -> PointCloud:
    """One point for each cube of a grid, so coarse that at most so many points are left.

    Cubes grow with what a point stands for, in powers of two: what was seen from nearby keeps its
    detail, and what is far away does not use up the points. The finest point of a cube stays; its
    colour is the mean over the cube, weighted by fineness, which evens out exposure and noise.

    Args:
        cloud: (N) points.
        widths: (N,) how much of the surface a point stands for, scene units.
        most: how many points to keep at most.
    """
    if not len(cloud):
        return cloud
    order = np.argsort(widths, kind="stable")
    points, level = cloud.points[order], np.round(np.log2(widths[order]))
    factor = 1.0
    while True:
        cubes = np.floor(points / (factor * 2**level)[:, None]).astype(np.int64)
        # Primes of a spatial hash: of millions of cubes hardly two share a key.
        keys = (cubes * (73_856_093, 19_349_663_003, 83_492_791_877)).sum(axis=1)
        keys += level.astype(np.int64) << 48
        _, first, cube = np.unique(keys, return_index=True, return_inverse=True)
        if len(first) <= most:
            break
        # Points lie on surfaces, so their number falls with the square of the side.
        factor *= max(1.03, float(np.sqrt(len(first) / most)))
    weights = widths[order] ** -2
    total = np.bincount(cube, weights)
    colors = cloud.colors[order]
    means = [np.bincount(cube, weights * colors[:, i]) / total for i in range(3)]
    chosen = order[first]
    return PointCloud(
        cloud.points[chosen],
        np.rint(np.stack(means, axis=1)).astype(np.uint8),
        cloud.normals[chosen],
    )
