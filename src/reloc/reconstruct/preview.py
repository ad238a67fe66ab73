"""The few points that a map keeps of its place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reloc.localize.localizer import Localizer
from reloc.maps.scene_map import PreviewPoints, SceneMap
from reloc.progress import Progress, silent
from reloc.reconstruct.point_cloud import map_point_cloud, thinned
from reloc.scenes.scene import Frame

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
