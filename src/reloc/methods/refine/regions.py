"""What goes into a refinement, and what comes out of it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.backbone import ConvBackbone
from reloc.errors import SceneError
from reloc.heads import Head
from reloc.maps.scene_map import Region, SceneMap
from reloc.scenes.scene import Frame, Scene, posed

# Keeps the state of an unfinished refinement.
Save = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class RegionToRefine:
    """A region of a map whose head is to be refined.

    Attributes:
        head: a copy, which is changed.
        origin: (3,) that its coordinates are relative to, world frame.
        frames: posed, those that the head was made from.
    """

    head: Head
    origin: NDArray[np.float64]
    frames: Sequence[Frame]


@dataclass(frozen=True)
class Refined:
    """What came of it.

    Attributes:
        heads: one for each region, on the processor.
        backbone: that was trained along with them, or None.
        views: that they learned from, together.
        steps: that were made, together.
        loss: running mean of the expected pose loss at the end.
        seconds: wall time by stage: ``features``, ``refining``.
    """

    heads: Sequence[Head]
    backbone: ConvBackbone | None
    views: int
    steps: int
    loss: float
    seconds: Mapping[str, float]


def regions_to_refine(scene_map: SceneMap, scene: Scene) -> list[RegionToRefine]:
    """The regions of a map, each with a copy of its head and its frames.

    Raises:
        SceneError: no frame has a pose, or a head has none of its frames.
    """
    frames = posed(scene.mapping)
    if not frames:
        raise SceneError(f"{scene.root}: no mapping frame has a pose; look with `reloc info`")
    return [
        RegionToRefine(
            copy.deepcopy(region.head), region.origin, _own(scene_map, region, frames, scene)
        )
        for region in scene_map.regions
    ]


def _own(
    scene_map: SceneMap, region: Region, frames: Sequence[Frame], scene: Scene
) -> Sequence[Frame]:
    """The frames that a head was made from, those of them that the map still names."""
    if region.frames is None:
        return frames
    names = {scene_map.cameras[row].name for row in region.frames}
    own = [frame for frame in frames if frame.name in names]
    if not own:
        raise SceneError(
            f"{scene.root}: has none of the frames that a head of the map was made from; give the "
            "scene of its mapping"
        )
    return own
