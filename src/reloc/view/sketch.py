"""The few points that a map keeps of its place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reloc.localize.localizer import Localizer
from reloc.maps.scene_map import SceneMap, Sketch
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame
from reloc.view.point_cloud import map_point_cloud, thinned

POINTS = 3000
# Only what another view confirms is kept: too few views leave walls bare, and so did asking three
# to confirm (of a room mapped in 75 s, half of the cells).
CONFIRMATIONS = 1
VIEWS = 48
LEAST_VIEWS = 16
# Of the typical depth: points are thinned from there on, evenly over all surfaces, since photos
# are drawn on from anywhere.
FINEST = 0.002
# A cautious guess for two cores.
VIEWS_PER_SECOND = 12


def sketched(
    localizer: Localizer,
    frames: Sequence[Frame],
    *,
    seconds: float | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The localizer's map with a sketch of what it knows; as it is where it knows nothing for sure.

    Args:
        localizer: of the map.
        frames: the mapping frames, with their images.
        seconds: about how long it may take, on two cores; fewer views are looked at then.
        progress: told after every view.
    """
    views = VIEWS
    if seconds is not None:
        views = min(VIEWS, max(LEAST_VIEWS, int(VIEWS_PER_SECOND * seconds)))
    cloud = map_point_cloud(
        localizer, frames, views=views, confirmations=CONFIRMATIONS, progress=progress
    )
    if not len(cloud):
        return localizer.map
    even = np.full(len(cloud), FINEST * localizer.map.scale)
    cloud = thinned(cloud, even, most=POINTS)
    return replace(localizer.map, sketch=Sketch(cloud.points, cloud.colours))
