"""Mapping a scene by any of the methods: what ``reloc map`` writes, from Python too."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TypeAlias

import torch

from reloc.backbone import Backbone, load_backbone, load_context_backbone
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.landmarks.building import LandmarkOptions
from reloc.localize import Localizer
from reloc.localize.self_check import with_held_back
from reloc.maps import SceneMap
from reloc.methods.ace import MappingOptions, MappingResult, mapper
from reloc.methods.ace.options import LEAST_SECONDS
from reloc.methods.ace.training import TrainingSnapshot
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.held_back import PartedScene, part
from reloc.methods.landmarks import MadeLandmarks, landmark_seconds, make_landmarks
from reloc.methods.ridge import RidgeOptions, map_scene_ridge
from reloc.progress import Progress, silent
from reloc.reconstruct.preview import (
    preview_seconds,
    preview_views,
    with_landmark_preview,
    with_preview,
)
from reloc.sampling import evenly
from reloc.scenes.scene import Scene, posed

# The method goes by the type: heads trained on features (ACE), fitted in closed form, or a whole
# network trained on the scene (DSAC*).
MethodOptions: TypeAlias = MappingOptions | RidgeOptions | DsacStarOptions

# Frames that a finished map is measured on, at most; and a cautious guess for two cores, by which
# a time limit is planned.
CHECKED = 24
SECONDS_PER_CHECKED = 0.4
SHARE_OF_LIMIT = 0.06


def map_scene(
    scene: Scene,
    backbone: Backbone | StrPath | None = None,
    *,
    options: MethodOptions | None = None,
    landmarks: LandmarkOptions | None = None,
    head: int | None = None,
    device: torch.device | str | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    progress: Progress = silent,
    callback: Callable[[TrainingSnapshot], None] | None = None,
) -> MappingResult:
    """Maps a scene as ``reloc map`` does, by the method that the options are of.

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features, or its file; by default the shipped one, with
            context where the method is in closed form. The map works with this one only.
        options: ``MappingOptions`` train heads, ``RidgeOptions`` fit one in closed form,
            ``DsacStarOptions`` train the whole network; by default the ``standard`` preset of the
            first.
        landmarks: how many points known to a fraction of a pixel the map is to have, and how they
            are made; by default 10,000. ``LandmarkOptions(count=0)`` keeps none: their descriptors
            can show something of what was in the photos.
        head: with ``MappingOptions``, train this one alone of the heads that the place has. The map
            holds its region as that of all heads does, and no preview points or landmarks;
            ``maps.edit.joined`` makes that one of several such.
        device: where to compute; by default the best there is.
        checkpoint: file to which the training state is written every so often, when it is
            interrupted and at its end; to be removed once the map is written
            (``checkpoint.kept_until_done``).
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of training as it advances.
        callback: with ``MappingOptions``, called after every step of training, to look at the head;
            its time counts as the training's.

    Returns:
        The map, with preview points and landmarks of the place, and how it came about.

    Raises:
        OptionError: an argument that the method does not take, no such head, or a place that
            cannot be parted among as many heads as wanted.
        SceneError: too few usable frames, all from one spot, no measured depth where it was asked
            for, or the training diverged.
        MapError: the backbone cannot be read, or the checkpoint is damaged or belongs to other
            options.
        OutputError: the checkpoint or a temporary file cannot be written.
    """
    options = options or MappingOptions()
    if head is not None and landmarks is not None and landmarks.count:
        raise OptionError("a head alone has no landmarks: leave out head or landmarks")
    wanted = LandmarkOptions(count=0) if head is not None else landmarks or LandmarkOptions()
    network = method_backbone(backbone, options)
    limit = None if isinstance(options, RidgeOptions) else options.time_limit
    parted = part(scene)
    learned = parted.learned
    training_limit = _before_points(limit, scene, wanted)
    made = MadeLandmarks()

    def landmarks_of(depth: float) -> MadeLandmarks:
        nonlocal made
        made = make_landmarks(
            scene.mapping,
            depth=depth,
            options=wanted,
            held_back=parted.held_back,
            time_limit=limit,
            progress=progress,
        )
        return made

    if isinstance(options, RidgeOptions):
        if checkpoint is not None or resume:
            raise OptionError("a fit in closed form takes seconds: leave out checkpoint and resume")
        _refuse_for_heads_alone(head, callback)
        result = map_scene_ridge(
            learned, network, options=options, device=device, progress=progress
        )
    elif isinstance(options, DsacStarOptions):
        _refuse_for_heads_alone(head, callback)
        result = map_scene_dsacstar(
            learned,
            network,
            options=replace(options, time_limit=training_limit),
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
        )
    else:
        result = mapper.map_scene(
            learned,
            network,
            options=replace(options, time_limit=training_limit),
            head=head,
            held_back=parted.held_back,
            landmarks=None if head is not None else landmarks_of,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            callback=callback and partial(_of_all_frames, callback, parted),
        )
    if head is not None:
        return result
    finished = result.scene_map
    if not isinstance(options, MappingOptions):
        finished = landmarks_of(finished.scale).added_to(finished)
    if isinstance(options, RidgeOptions) and finished.landmarks is not None:
        # What its head sees takes longer to be seen than the whole fit.
        finished = with_landmark_preview(finished, finished.landmarks, learned.mapping)
    else:
        localizer = Localizer(finished, network, device=device)
        views = preview_views(limit)
        finished = with_preview(localizer, learned.mapping, views=views, progress=progress)
    finished = measured(
        finished,
        network,
        parted,
        made,
        frames=checked_frames(limit),
        depth=isinstance(options, DsacStarOptions) and options.supervision == "rgbd",
        device=device,
        progress=progress,
    )
    return replace(result, scene_map=finished)


def measured(
    scene_map: SceneMap,
    backbone: Backbone,
    parted: PartedScene,
    made: MadeLandmarks,
    *,
    frames: int = CHECKED,
    depth: bool = False,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The map with what it does on frames that are held back.

    Where the frames are too few for that, by landmarks that other frames show as well; as it is
    where none were made either.

    Args:
        scene_map: of the scene.
        backbone: it was made with.
        parted: the scene.
        made: the landmarks of the map.
        frames: to look at, at most.
        depth: localize them with their depth.
        device: where to compute.
        progress: told of every frame.
    """
    if not parted.held_back and made.observed is None:
        return scene_map
    return with_held_back(
        scene_map,
        backbone,
        # Of those that heads learned from a few tell enough.
        evenly(parted.held_back, frames) or evenly(posed(parted.learned.mapping), -(-frames // 2)),
        way="held back" if parted.held_back else "left out",
        landmarks_without=made.without,
        depth=depth,
        device=device,
        progress=progress,
    )


def _of_all_frames(
    callback: Callable[[TrainingSnapshot], None], parted: PartedScene, snapshot: TrainingSnapshot
) -> None:
    """Tells of learners with rows of all posed frames; those held back go with the nearest."""
    learners = tuple(
        replace(learner, frames=parted.with_held_back(learner.frames))
        for learner in snapshot.learners
    )
    callback(replace(snapshot, learners=learners))


def method_backbone(given: Backbone | StrPath | None, options: MethodOptions) -> Backbone:
    """The backbone to map with: the given one or its file, else the shipped one for the method.

    Raises:
        MapError: the file cannot be read.
    """
    if given is not None and not isinstance(given, str | PathLike):
        return given
    # A linear head needs features that know their surroundings.
    if given is None and isinstance(options, RidgeOptions):
        return load_context_backbone()
    return load_backbone(given)


def checked_frames(time_limit: float | None) -> int:
    """How many frames to measure a map on, after a mapping with a time limit or without one."""
    if time_limit is None:
        return CHECKED
    return min(CHECKED, max(1, int(SHARE_OF_LIMIT * time_limit / SECONDS_PER_CHECKED)))


def checked_seconds(time_limit: float) -> float:
    """How much of a time limit, in seconds, to leave for that."""
    return SECONDS_PER_CHECKED * checked_frames(time_limit)


def _refuse_for_heads_alone(
    head: int | None, callback: Callable[[TrainingSnapshot], None] | None
) -> None:
    if head is not None or callback is not None:
        raise OptionError("head and callback go with MappingOptions; leave them out")


def _before_points(
    time_limit: float | None, scene: Scene, landmarks: LandmarkOptions
) -> float | None:
    """The time limit of what comes before preview points and landmarks."""
    if time_limit is None:
        return None
    after = preview_seconds(time_limit) + checked_seconds(time_limit)
    if landmarks.count:
        after += landmark_seconds(scene.mapping, time_limit)
    return max(time_limit - after, min(time_limit, LEAST_SECONDS))
