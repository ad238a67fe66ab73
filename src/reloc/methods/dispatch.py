"""Mapping a scene by any of the methods: what ``reloc map`` writes, from Python too."""

from collections.abc import Callable
from functools import partial
from os import PathLike

import torch

from reloc.backbone import Backbone, load_backbone, load_context_backbone
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.landmarks.building import LandmarkOptions
from reloc.methods.ace import MappingOptions, MappingResult, mapper
from reloc.methods.ace.training import TrainingSnapshot
from reloc.methods.completion import completed
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.mapping_plan import MethodOptions, plan_mapping
from reloc.methods.ridge import RidgeOptions, map_scene_ridge
from reloc.progress import Progress, silent
from reloc.scenes.scene import Scene


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
        OptionError: an argument that the method does not take, no such head, a place that cannot be
            parted among as many heads as wanted, or a goal in metres where there are none.
        SceneError: too few usable frames, all from one spot, no measured depth where it was asked
            for, or the training diverged.
        MapError: the backbone cannot be read, or the checkpoint is damaged or belongs to other
            options.
        OutputError: the checkpoint or a temporary file cannot be written.
    """
    options = options or MappingOptions()
    _check_arguments(options, head, landmarks, callback, kept=bool(checkpoint or resume))
    network = method_backbone(backbone, options)
    wanted = LandmarkOptions(count=0) if head is not None else landmarks or LandmarkOptions()
    plan = plan_mapping(scene, options, wanted)
    learned, options = plan.parted.learned, plan.training_options
    if isinstance(options, MappingOptions):
        made = mapper.map_scene(
            learned,
            network,
            options=options,
            head=head,
            held_back=plan.parted.held_back,
            landmarks=partial(plan.made_landmarks, progress=progress),
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            callback=callback and plan.of_all_frames(callback),
        )
    elif isinstance(options, DsacStarOptions):
        made = map_scene_dsacstar(
            learned,
            network,
            options=options,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
        )
    else:
        made = map_scene_ridge(learned, network, options=options, device=device, progress=progress)
    if head is not None:
        return made
    return completed(made, network, plan, device=device, progress=progress)


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


def _check_arguments(
    options: MethodOptions,
    head: int | None,
    landmarks: LandmarkOptions | None,
    callback: Callable[[TrainingSnapshot], None] | None,
    *,
    kept: bool,
) -> None:
    """Raises OptionError for an argument that the method does not take."""
    if head is not None and landmarks is not None and landmarks.count:
        raise OptionError("a head alone has no landmarks: leave out head or landmarks")
    if isinstance(options, RidgeOptions) and kept:
        raise OptionError("a fit in closed form takes seconds: leave out checkpoint and resume")
    if not isinstance(options, MappingOptions) and (head is not None or callback is not None):
        raise OptionError("head and callback go with MappingOptions; leave them out")
