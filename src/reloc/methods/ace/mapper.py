"""Mapping a scene: posed images in, a map out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import pick_device
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.mapping.result import MappingResult, finished
from reloc.mapping.scene_scale import scene_scale
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.clusters import clusters_of, frames_of_head
from reloc.methods.ace.feature_collection import collect_features
from reloc.methods.ace.feature_sampler import FeatureSampler
from reloc.methods.ace.multi_view_stereo import measured_depth, survey_frames
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.regions import features_by_region, map_regions
from reloc.methods.ace.trainer import HeadTrainer
from reloc.methods.ace.training import Learner, TrainingSnapshot, new_trainers, train_heads
from reloc.progress import Progress, silent
from reloc.scenes import check_mappable, posed, poses_of
from reloc.scenes.scene import Scene
from reloc.temporary import temporary_folder
from reloc.training import TimeLimit

# Of a time limit, what has gone by when training ends; writing the map takes the rest.
TRAINING_SHARE = 0.98


def map_scene(
    scene: Scene,
    backbone: Backbone,
    *,
    options: MappingOptions | None = None,
    head: int | None = None,
    device: torch.device | str | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    progress: Progress = silent,
    callback: Callable[[TrainingSnapshot], None] | None = None,
) -> MappingResult:
    """Maps a scene as ACE does: a feature buffer over all images, then heads trained on it.

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features; the map works with this one only.
        options: sizes and schedule; by default the ``standard`` preset.
        head: train this one alone of the heads that the place has. The map holds its region as that
            of all heads does; ``maps.edit.joined`` makes that one of several such.
        device: where to compute; by default the best there is.
        checkpoint: file to which the training state is written every so often, when it is
            interrupted and at its end; to be removed once the map is written
            (``checkpoint.kept_until_done``).
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of training as it advances.
        callback: called after every step of training, to look at the head; its time counts as the
            training's.

    Raises:
        OptionError: there is no such head, or the place cannot be parted among as many as wanted.
        SceneError: too few usable frames, or all from one spot.
        MapError: the checkpoint is damaged or belongs to other options.
        OutputError: the checkpoint or a temporary file cannot be written.
    """
    options = options or MappingOptions()
    clock = TimeLimit(options.time_limit)
    checkpoint = None if checkpoint is None else Path(checkpoint)
    if head is not None and (options.heads is None or not 0 <= head < options.heads):
        raise OptionError(f"head {head} alone needs a number of heads that it is one of")
    check_mappable(scene)
    chosen = pick_device(device)
    extractor = FeatureExtractor(backbone, device=chosen)
    frames = posed(scene.mapping)
    poses = poses_of(frames)
    identity = {
        "options": asdict(options),
        "head": head,
        "backbone": backbone.fingerprint,
        "frames": [frame.name for frame in scene.mapping],
    }
    stored = load_checkpoint(checkpoint, identity) if resume and checkpoint else None
    bounds = Bounds.of(options, clock, frames=len(frames))
    sampler = FeatureSampler.of(frames, extractor, options)
    diverged = f"{scene.root}: training diverged; check the poses and intrinsics with `reloc info`"
    with damage_named(checkpoint, diverged=diverged), temporary_folder() as scratch:
        depth, wanted = scene_scale(poses), frozenset(range(len(frames)))
        if head is not None:
            depth = measured_depth(sampler, poses, depth=depth, bounds=bounds)
            clusters = clusters_of(poses, options, depth=depth)
            wanted = frames_of_head(head, clusters, options, place=str(scene.root))
        if stored:
            bounds = bounds.again(stored)
        survey = survey_frames(
            sampler,
            poses,
            depth=depth,
            depth_measured=head is not None,
            wanted=wanted,
            bounds=bounds,
            progress=progress,
        )
        collected = collect_features(
            sampler,
            survey,
            wanted=wanted,
            bounds=bounds,
            options=options,
            scratch=scratch,
            progress=progress,
        )
        # The buffer has the samples; training needs the memory of what they were made from.
        del survey, sampler
        fill_seconds = clock.elapsed()
        clusters = clusters_of(
            poses, options, depth=collected.depth, looked_at=collected.descriptors
        )
        heads = len(clusters)
        own = clusters if head is None else clusters[head : head + 1]
        regions = list(features_by_region(frames, own, collected.buffer, whole=heads == 1))
        trainers = new_trainers(regions, extractor, options, depth=collected.depth, of=heads)
        learners = tuple(
            Learner(trainer.head, region.origin, region.frames)
            for trainer, region in zip(trainers, regions, strict=True)
        )

        def save(state: Mapping[str, Any]) -> None:
            if checkpoint is not None:
                save_checkpoint(checkpoint, identity, {**state, **asdict(collected.counts)})

        def watched(trainer: HeadTrainer, fraction: float) -> None:
            if callback is not None:
                steps = sum(trainer.steps for trainer in trainers)
                callback(TrainingSnapshot(learners, steps, fraction, trainer.state))

        training_seconds = train_heads(
            trainers,
            steps=options.steps,
            budget=clock.left(TRAINING_SHARE),
            stored=stored,
            save=save,
            progress=progress,
            callback=watched,
        )
    states = [trainer.state() for trainer in trainers]
    return finished(
        scene,
        frames,
        map_regions(
            [trainer.head for trainer in trainers],
            regions,
            collected.descriptors,
            frames=len(frames),
            of=heads,
        ),
        backbone=backbone.fingerprint,
        short_side=options.short_side,
        device=chosen,
        skipped=collected.skipped,
        seconds={"features": fill_seconds, "training": training_seconds},
        info={
            "options": asdict(options),
            **asdict(collected.counts),
            "features": collected.buffer.count,
            "steps": sum(trainer.steps for trainer in trainers),
            "median_error_px": round(float(np.mean([s.median_error for s in states])), 3),
            "inlier_share": round(float(np.mean([s.inlier_share for s in states])), 4),
        },
    )
