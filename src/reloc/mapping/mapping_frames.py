"""The frames that a map is made from, and what a mapping asks of their scene."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.mapping.scene_scale import scene_scale
from reloc.maps.held_back import Unit
from reloc.scenes.checks import check_mappable
from reloc.scenes.scene import Frame, Scene, posed, poses_of


@dataclass(frozen=True)
class MappingFrames:
    """Posed frames of one place, read from a scene once.

    Attributes:
        scene: what the scene is called.
        root: its folder, by which errors call it.
        unit: of length.
        extent: largest side of the bounding box of all camera centres, in that unit.
        frames: all with poses.
    """

    scene: str
    root: Path
    unit: Unit
    extent: float
    frames: tuple[Frame, ...]

    def only(self, frames: Sequence[Frame]) -> "MappingFrames":
        """Some of them; the extent stays that of all."""
        return replace(self, frames=tuple(frames))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def names(self) -> list[str]:
        """Of the frames."""
        return [frame.name for frame in self.frames]

    @cached_property
    def poses(self) -> NDArray[np.float64]:
        """``world_from_cam`` (F, 4, 4)."""
        return poses_of(self.frames)

    @cached_property
    def origin(self) -> NDArray[np.float64]:
        """Mean (3,) of the camera centres."""
        mean: NDArray[np.float64] = self.poses[:, :3, 3].mean(axis=0)
        return mean

    @cached_property
    def depth(self) -> float:
        """Typical depth of the scene as the poses suggest it, in scene units."""
        return scene_scale(self.poses)


def mapping_frames(scene: Scene) -> MappingFrames:
    """The mapping frames of a scene.

    Raises:
        SceneError: they are too few, or all from one spot.
    """
    check_mappable(scene)
    return MappingFrames(scene.name, scene.root, scene.unit, scene.extent(), posed(scene.mapping))
