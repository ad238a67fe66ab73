"""What a mapping gives, whichever way it went."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import ConvBackbone
from reloc.images.lens import read_lens
from reloc.mapping.mapping_frames import MappingFrames
from reloc.maps.scene_map import MAX_CAMERAS, MappingCamera, Region, SceneMap
from reloc.sampling import even_picks
from reloc.scenes.scene import Skipped


@dataclass(frozen=True)
class MappingResult:
    """A finished map and how it came about.

    Attributes:
        scene_map: the map.
        skipped: mapping frames whose image could not be used.
        seconds: wall time by stage: ``features``, ``training``.
    """

    scene_map: SceneMap
    skipped: tuple[Skipped, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


def finished(
    used: MappingFrames,
    regions: Sequence[Region],
    *,
    backbone: str,
    short_side: int,
    device: torch.device,
    skipped: Sequence[Skipped],
    seconds: dict[str, float],
    info: Mapping[str, Any],
    own_backbone: ConvBackbone | None = None,
) -> MappingResult:
    """Puts a map together.

    Args:
        used: the mapping frames that were used.
        regions: heads and what belongs to them.
        backbone: fingerprint of what the heads understand.
        short_side: of the images, pixels.
        device: where it was made.
        skipped: frames whose image could not be used.
        seconds: wall time by stage.
        info: what else the map shall tell of its making.
        own_backbone: the map's own network, if it has one.
    """
    frames, poses = used.frames, used.poses
    scene_map = SceneMap(
        regions=tuple(regions),
        backbone=backbone,
        short_side=short_side,
        extent=used.extent,
        unit=used.unit,
        cameras=tuple(
            MappingCamera(frames[i].name, poses[i], frames[i].camera, read_lens(frames[i].image))
            for i in kept_cameras(len(frames))
        ),
        info={
            "scene": used.scene,
            "frames": len(frames),
            "skipped": len(skipped),
            "seconds": {stage: round(value, 2) for stage, value in seconds.items()},
            "device": str(device),
            "torch": torch.__version__,
            "machine": platform.machine(),
            **info,
        },
        own_backbone=own_backbone,
    )
    return MappingResult(scene_map, tuple(skipped), seconds)


def kept_cameras(count: int) -> NDArray[np.intp]:
    """Which of so many frames a map remembers."""
    return even_picks(count, MAX_CAMERAS)
