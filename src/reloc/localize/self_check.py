"""Whether heads find the mapping frames of their map: what they do not know they cannot of others.

Cells of a network that is trained as a whole agree with each other before they are right: an early
one sends an image to a place where it fits well, and the share of cells that agree with the pose,
by which ``pose.trust`` judges, says nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from reloc.backbone import Backbone
from reloc.files import StrPath
from reloc.geometry import pose_error
from reloc.landmarks.landmarks import Landmarks
from reloc.localize.localizer import Localizer
from reloc.localize.query import Query
from reloc.maps.held_back import Bound, HeldBack, PoseError, Way, share_within
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
    localizer = Localizer(replace(scene_map, landmarks=None), backbone, device=device)
    errors = _errors(
        localizer, evenly(frames, FRAMES), depth=depth, all_poses=True, progress=progress
    )
    near = Bound(NEAR * scene_map.scale, NEAR_DEGREES)
    return replace(scene_map, reliability=share_within(errors, near))


def with_held_back(
    scene_map: SceneMap,
    backbone: Backbone | StrPath | None,
    frames: Sequence[Frame],
    *,
    way: Way,
    landmarks_without: Callable[[Frame], Landmarks | None],
    depth: bool = False,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The map with ``held_back``: what it is measured to do on some frames.

    Args:
        scene_map: stays as it is.
        backbone: that it was made with, as of ``Localizer``.
        frames: with poses, from which heads did not learn; or of all, where they were too few to
            hold any back. Without any the map stays as it is.
        way: which of both.
        landmarks_without: those by which a frame may be localized.
        depth: localize them with their depth.
        device: where to compute.
        progress: told of every frame.
    """
    chosen = evenly(frames, FRAMES)
    if not chosen:
        return scene_map
    localizer = Localizer(replace(scene_map, landmarks=None), backbone, device=device)
    by_heads = _errors(localizer, chosen, depth=depth)
    errors: list[PoseError] = []
    for done, frame in enumerate(chosen, start=1):
        others = landmarks_without(frame)
        if others is None:
            errors.append(by_heads[done - 1])
        else:
            told = replace(scene_map, landmarks=others)
            errors += _errors(Localizer(told, backbone, device=device), [frame], depth=depth)
        progress("checking", done, len(chosen))
    return replace(scene_map, held_back=HeldBack(way, tuple(errors), tuple(by_heads)))


def _errors(
    localizer: Localizer,
    frames: Sequence[Frame],
    *,
    depth: bool = False,
    all_poses: bool = False,
    progress: Progress = silent,
) -> list[PoseError]:
    """How far off poses of frames are that are believed, or all; None where there is none."""
    queries = (Query(f.name, f.image, f.camera, f.depth if depth else None) for f in frames)
    errors: list[PoseError] = []
    for frame, estimate in zip(frames, localizer.localize_many(queries), strict=True):
        pose = estimate.world_from_cam
        if pose is None or frame.world_from_cam is None or not (estimate.localized or all_poses):
            errors.append(None)
        else:
            errors.append(pose_error(pose, frame.world_from_cam))
        progress("checking", len(errors), len(frames))
    return errors
