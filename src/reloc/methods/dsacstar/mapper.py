"""Mapping a scene with a network of its own: posed images in, a map with its backbone out."""

from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from reloc.backbone import Backbone
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import pick_device
from reloc.errors import SceneError
from reloc.files import StrPath
from reloc.heads.mlp import new_head
from reloc.localize.self_check import with_reliability
from reloc.mapping.mapping_frames import MappingFrames, mapping_frames
from reloc.mapping.poses import centered_cam_from_world
from reloc.mapping.result import MappingResult, finished
from reloc.mapping.scene_scale import meter_of
from reloc.maps.scene_map import Region
from reloc.methods.dsacstar.known_depths import KnownDepths
from reloc.methods.dsacstar.network_trainer import SceneNetworkTrainer
from reloc.methods.dsacstar.options import DsacStarOptions
from reloc.methods.refine.images import TrainingImages
from reloc.methods.refine.scene_network import SceneNetwork, trainable_copy
from reloc.progress import Progress, silent
from reloc.scenes.scene import Scene
from reloc.training import TimeLimit, train

MIN_DEPTH_FRAMES = 3


def map_scene_dsacstar(
    scene: Scene,
    backbone: Backbone,
    *,
    options: DsacStarOptions | None = None,
    device: torch.device | str | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> MappingResult:
    """Maps a scene as DSAC* does: the whole network is trained on it, an image a step.

    Args:
        scene: its ``mapping`` frames are used, only those of known depth if depth supervises.
        backbone: where the network of the map starts from; stays as it is.
        options: settings; by default those of the paper, which take 15 hours on a GPU.
        device: where to compute; by default the best there is.
        checkpoint: file to which the state is written every so often, when it is interrupted and
            at its end; to be removed once the map is written (``checkpoint.kept_until_done``).
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every step.

    Raises:
        OptionError: the backbone has an adapter, or is of another kind.
        SceneError: too few usable frames, no measured depth where it was asked for, or the training
            diverged.
        MapError: the checkpoint is damaged or belongs to other options.
    """
    options = options or DsacStarOptions()
    checkpoint = None if checkpoint is None else Path(checkpoint)
    clock = TimeLimit(options.time_limit)
    own = trainable_copy(backbone)
    usable = mapping_frames(scene)
    depths = None if options.supervision == "rgb" else KnownDepths(scene)
    used = _supervised(usable, options, depths)
    identity = {
        "options": asdict(options),
        "backbone": backbone.fingerprint,
        "frames": used.names,
    }
    stored = load_checkpoint(checkpoint, identity) if resume else None
    chosen = pick_device(device)
    images = TrainingImages(
        used.frames,
        centered_cam_from_world(used.frames, used.origin),
        depths=depths,
        short_side=options.short_side,
        stride=backbone.stride,
        seed=options.seed,
    )
    head = new_head(
        channels=backbone.channels,
        width=options.width,
        blocks=options.blocks,
        scale=used.depth,
        seed=options.seed,
    )
    network = SceneNetwork(own, [head], images, head_of=[0] * len(used), device=chosen)
    trainer = SceneNetworkTrainer(
        network, options, meter=meter_of(used.unit, scale=used.depth), depth=used.depth
    )
    diverged = f"{used.root}: training diverged; map with a smaller learning rate"
    with damage_named(checkpoint, diverged=diverged), closing(images):
        seconds = train(
            [trainer],
            stage="training",
            steps=options.steps,
            budget=clock.left(),
            stored=stored,
            save=partial(save_checkpoint, checkpoint, identity),
            progress=progress,
        )
    own = network.finished()
    median_error, inlier_share = trainer.figures()
    result = finished(
        used,
        [Region(head, used.origin)],
        backbone=own.fingerprint,
        short_side=options.short_side,
        device=chosen,
        skipped=images.skipped,
        seconds={"training": seconds},
        info={
            "method": "dsacstar",
            "options": asdict(options),
            "steps": trainer.steps,
            "loss": round(trainer.loss(), 4),
            "median_error_px": round(median_error, 3),
            "inlier_share": round(inlier_share, 4),
        },
        own_backbone=own,
    )
    checked = with_reliability(
        result.scene_map,
        own,
        used.frames,
        depth=options.supervision == "rgbd",
        device=chosen,
        progress=progress,
    )
    return replace(result, scene_map=checked)


def _supervised(
    usable: MappingFrames, options: DsacStarOptions, depths: KnownDepths | None
) -> MappingFrames:
    """The frames that can be learned from."""
    if depths is None:
        return usable
    # Points of a model are too few to search poses by.
    measured = options.supervision == "rgbd"
    known = tuple(f for f in usable.frames if (f.depth is not None if measured else depths.of(f)))
    if len(known) < MIN_DEPTH_FRAMES:
        what = "a depth image" if measured else "a depth image or points of a COLMAP model"
        raise SceneError(
            f"{usable.root}: {len(known) or 'no'} mapping frames have {what}, but supervision "
            f"{options.supervision} needs at least {MIN_DEPTH_FRAMES}; use --supervision rgb"
        )
    return usable.only(known)
