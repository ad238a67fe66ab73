"""The few points that a map keeps of its place."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from reloc.errors import ImageError
from reloc.images.files import read_image
from reloc.landmarks import Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.localize.localizer import Localizer
from reloc.maps.scene_map import PreviewPoints, SceneMap
from reloc.progress import Progress, silent
from reloc.reconstruct.point_cloud import map_point_cloud, thinned
from reloc.sampling import even_picks, evenly
from reloc.scenes.scene import Frame, posed

POINTS = 3000
# Only what another view confirms is kept: too few views leave walls bare, and so did asking three
# to confirm (of a room mapped in 75 s, half of the cells).
CONFIRMATIONS = 1
VIEWS = 48
LEAST_VIEWS = 16
# Of the typical depth: points are thinned from there on, evenly over all surfaces, since photos
# are drawn on from anywhere.
FINEST = 0.002
# A cautious guess for two cores, by which a time limit is planned. No clock has a say: how many
# views are looked at is the same on all machines.
VIEWS_PER_SECOND = 12
SHARE_OF_LIMIT = 0.06


def preview_views(time_limit: float | None) -> int:
    """How many views to look at after a mapping with a time limit in seconds, or without one."""
    if time_limit is None:
        return VIEWS
    return min(VIEWS, max(LEAST_VIEWS, int(VIEWS_PER_SECOND * preview_seconds(time_limit))))


def preview_seconds(time_limit: float) -> float:
    """How much of a time limit, in seconds, to leave for preview points."""
    return min(VIEWS / VIEWS_PER_SECOND, SHARE_OF_LIMIT * time_limit)


def with_landmark_preview(
    scene_map: SceneMap, landmarks: Landmarks, frames: Sequence[Frame]
) -> SceneMap:
    """The map with some of its landmarks as preview points, which asks no network.

    Args:
        scene_map: of the landmarks.
        landmarks: of the map.
        frames: the mapping frames, whose images color the landmarks.
    """
    matcher = LandmarkMatcher(landmarks)
    sums, counts = np.zeros((len(landmarks), 3)), np.zeros(len(landmarks))
    for frame in evenly(posed(frames), LEAST_VIEWS):
        assert frame.world_from_cam is not None
        with suppress(ImageError):
            photo = read_image(frame.image)
            if photo.shape[:2] == (frame.camera.height, frame.camera.width):
                rows, pixels, _ = matcher.visible(frame.world_from_cam, frame.camera)
                column, row = pixels.astype(np.int64).T
                sums[rows] += photo[row, column]
                counts[rows] += 1
    seen = np.flatnonzero(counts)
    seen = seen[even_picks(len(seen), POINTS)]
    colors = np.rint(sums[seen] / counts[seen, None]).astype(np.uint8)
    return replace(scene_map, preview=PreviewPoints(landmarks.points[seen], colors))


def with_preview(
    localizer: Localizer,
    frames: Sequence[Frame],
    *,
    views: int = VIEWS,
    progress: Progress = silent,
) -> SceneMap:
    """The localizer's map with preview points; as it is where it knows nothing for sure.

    Args:
        localizer: of the map.
        frames: the mapping frames, with their images.
        views: how many of them to look at, evenly spaced.
        progress: told after every view.
    """
    cloud = map_point_cloud(
        localizer, frames, views=views, confirmations=CONFIRMATIONS, progress=progress
    )
    if not len(cloud):
        return localizer.map
    even = np.full(len(cloud), FINEST * localizer.map.scale)
    cloud = thinned(cloud, even, most=POINTS)
    return replace(localizer.map, preview=PreviewPoints(cloud.points, cloud.colors))
