"""The unit of a map's world by measured depth of its mapping frames."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reloc.errors import MapError, OptionError
from reloc.landmarks.matching import LandmarkMatcher
from reloc.maps.contents import MapContents
from reloc.scenes.depth import DepthAlongRays

Array = NDArray[np.float64]

LEAST_FRAMES, LEAST_POINTS = 2, 20
# Frames whose depth asks for scales that differ by more than this share were not measured.
_MOST_SPREAD = 0.2


def metres_by_depth(
    scene_map: MapContents, measured: Mapping[str, DepthAlongRays]
) -> tuple[float, float, int]:
    """Metres for each unit of a map, by measured depth where landmarks are.

    Each frame says the median over the landmarks in its view: what stands before a few of them, and
    holes, do not matter. The median over frames is the answer.

    Args:
        scene_map: a map with landmarks.
        measured: depth in metres by the names of mapping frames.

    Returns:
        The scale, its standard error as a share of it, and the number of frames that tell it.

    Raises:
        MapError: the map has no landmarks.
        OptionError: too few frames of the map were measured, or they contradict each other.
    """
    if scene_map.landmarks is None:
        raise MapError("the map has no landmarks to measure; map the scene again, or give --points")
    matcher, ratios = LandmarkMatcher(scene_map.landmarks), []
    for frame in scene_map.cameras:
        depth = measured.get(frame.name)
        if depth is None:
            continue
        _, pixels, depths = matcher.visible(frame.world_from_cam, frame.camera)
        seen = depth.along(frame.camera.rays(pixels))
        known = np.isfinite(seen) & (seen > 0)
        if known.sum() >= LEAST_POINTS:
            ratios.append(float(np.median(np.log(seen[known] / depths[known]))))
    if len(ratios) < LEAST_FRAMES:
        raise OptionError(
            f"{len(ratios)} mapping frames have depth at {LEAST_POINTS} landmarks; {LEAST_FRAMES} "
            "at least are needed"
        )
    middle = float(np.median(ratios))
    spread = 1.4826 * float(np.median(np.abs(np.array(ratios) - middle)))
    if spread > _MOST_SPREAD:
        raise OptionError(
            f"the depth of {len(ratios)} frames asks for scales that differ by "
            f"{100 * spread:.0f} %; it is not that of these frames, or --depth-unit is another"
        )
    return float(np.exp(middle)), 1.2533 * spread / len(ratios) ** 0.5, len(ratios)
