"""What a map was measured to do, as text with units."""

import math

from reloc.maps.held_back import HeldBack
from reloc.maps.scene_map import SceneMap

NOT_MEASURED = "not measured"


def quality_text(scene_map: SceneMap) -> str:
    """How many of the frames that a map was measured on it finds, and how precisely."""
    told = scene_map.held_back
    if told is None:
        return NOT_MEASURED
    bound = scene_map.usual_bound
    found = sum(map(bound.holds, told.errors))
    near = _distance(bound.distance, scene_map)
    compressed = ", before it was compressed" if "bits" in scene_map.info else ""
    return (
        f"{found} of {told.frames} frames {told.way} found to {near} and {bound.degrees:g} deg, "
        f"median {_median(told, scene_map)}{compressed}"
    )


def _median(told: HeldBack, scene_map: SceneMap) -> str:
    if not math.isfinite(told.median_distance):
        return "lost"
    return f"{_distance(told.median_distance, scene_map)} and {told.median_degrees:.2g} deg"


def _distance(distance: float, scene_map: SceneMap) -> str:
    if scene_map.unit == "metre":
        return f"{100 * distance:.3g} cm"
    if scene_map.extent > 0:
        return f"{100 * distance / scene_map.extent:.2g} % of the extent"
    return f"{distance:.3g} scene units"
