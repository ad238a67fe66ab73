"""Whether heads find the mapping frames of their map: what they do not know they cannot of others.

Cells of a network that is trained as a whole agree with each other before they are right: an early
one sends an image to a place where it fits well, and the share of cells that agree with the pose,
by which ``pose.trust`` judges, says nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from reloc.backbone import Backbone
from reloc.files import StrPath
from reloc.geometry import pose_error
from reloc.localize.localizer import Localizer
from reloc.localize.query import Query
from reloc.maps.scene_map import SceneMap
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.scene import Frame

FRAMES = 24
# A frame is found if its position is off by no more than this share of the typical depth of the
# scene, 10 to 15 cm in a room, and its direction by no more than this angle.
NEAR = 0.05
NEAR_DEGREES = 5.0


def with_reliability(
    scene_map: SceneMap,
    backbone: Backbone | StrPath | None,
    frames: Sequence[Frame],
    *,
    depth: bool = False,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The map with its ``reliability``: the share of a sample of frames that its heads find.

    Args:
        scene_map: stays as it is.
        backbone: that it was made with, as of ``Localizer``.
        frames: of its mapping, with poses.
        depth: localize them with their depth.
        device: where to compute.
        progress: told of every frame.
    """
    chosen = evenly(frames, FRAMES)
    localizer = Localizer(replace(scene_map, landmarks=None), backbone, device=device)
    queries = (Query(f.name, f.image, f.camera, f.depth if depth else None) for f in chosen)
    found = 0
    for done, (frame, estimate) in enumerate(
        zip(chosen, localizer.localize_many(queries), strict=True), start=1
    ):
        pose = estimate.world_from_cam
        if pose is not None and frame.world_from_cam is not None:
            distance, angle = pose_error(pose, frame.world_from_cam)
            found += distance <= NEAR * scene_map.scale and angle <= NEAR_DEGREES
        progress("checking", done, len(chosen))
    return replace(scene_map, reliability=found / len(chosen))
