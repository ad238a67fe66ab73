"""The few points that a map keeps of its place."""

from collections.abc import Sequence
from dataclasses import replace

from reloc.localize.localizer import Localizer
from reloc.maps.scene_map import SceneMap, Sketch
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame
from reloc.view.point_cloud import map_point_cloud

POINTS = 3000
VIEWS = 16


def sketched(
    localizer: Localizer, frames: Sequence[Frame], *, progress: Progress = silent
) -> SceneMap:
    """The localizer's map with a sketch of what it knows; as it is where it knows nothing for sure.

    Args:
        localizer: of the map.
        frames: the mapping frames, with their images.
        progress: told after every view.
    """
    cloud = map_point_cloud(localizer, frames, views=VIEWS, max_points=POINTS, progress=progress)
    if not len(cloud):
        return localizer.map
    return replace(localizer.map, sketch=Sketch(cloud.points, cloud.colours))
