"""Mapping a scene by any of the methods: what ``reloc map`` writes, from Python too."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import TypeAlias

import torch

from reloc.backbone import Backbone, load_backbone, load_context_backbone
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.landmarks.building import LandmarkOptions
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.methods.ace import MappingOptions, MappingResult, mapper
from reloc.methods.ace.options import LEAST_SECONDS
from reloc.methods.ace.training import TrainingSnapshot
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.landmarks import has_landmarks_of, landmark_seconds, with_landmarks
from reloc.methods.ridge import RidgeOptions, map_scene_ridge
from reloc.progress import Progress, silent
from reloc.reconstruct.preview import (
    preview_seconds,
    preview_views,
    with_landmark_preview,
    with_preview,
)
from reloc.scenes.scene import Scene

# The method goes by the type: heads trained on features (ACE), fitted in closed form, or a whole
# network trained on the scene (DSAC*).
MethodOptions: TypeAlias = MappingOptions | RidgeOptions | DsacStarOptions


def map_scene(
    scene: Scene,
    backbone: Backbone | StrPath | None = None,
    *,
    options: MethodOptions | None = None,
    landmarks: LandmarkOptions | None = None,
    earlier: SceneMap | None = None,
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
        earlier: a map of this place, such as a draft; if its landmarks are of the same frames and
            options, they are taken over.
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
    if earlier and not has_landmarks_of(earlier, scene.mapping, wanted, time_limit=limit):
        earlier = None
    training_limit = _before_points(limit, scene, LandmarkOptions(count=0) if earlier else wanted)
    if isinstance(options, RidgeOptions):
        if checkpoint is not None or resume:
            raise OptionError("a fit in closed form takes seconds: leave out checkpoint and resume")
        _refuse_for_heads_alone(head, callback)
        result = map_scene_ridge(scene, network, options=options, device=device, progress=progress)
    elif isinstance(options, DsacStarOptions):
        _refuse_for_heads_alone(head, callback)
        result = map_scene_dsacstar(
            scene,
            network,
            options=replace(options, time_limit=training_limit),
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
        )
    else:
        result = mapper.map_scene(
            scene,
            network,
            options=replace(options, time_limit=training_limit),
            head=head,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            callback=callback,
        )
    if head is not None:
        return result
    made = with_landmarks(
        result.scene_map,
        scene,
        options=wanted,
        time_limit=limit,
        earlier=earlier,
        progress=progress,
    )
    if isinstance(options, RidgeOptions) and made.landmarks is not None:
        # What its head sees takes longer to be seen than the whole fit.
        made = with_landmark_preview(made, made.landmarks, scene.mapping)
    else:
        localizer = Localizer(made, network, device=device)
        views = preview_views(limit)
        made = with_preview(localizer, scene.mapping, views=views, progress=progress)
    return replace(result, scene_map=made)


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
    after = preview_seconds(time_limit)
    if landmarks.count:
        after += landmark_seconds(scene.mapping, time_limit)
    return max(time_limit - after, min(time_limit, LEAST_SECONDS))
