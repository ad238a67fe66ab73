"""Mapping a scene: posed images in, a map out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import pick_device, synchronize
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.mapping.mapping_frames import mapping_frames
from reloc.mapping.result import MappingResult, finished
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.division import divide
from reloc.methods.ace.feature_collection import FeatureCollector
from reloc.methods.ace.feature_sampler import FeatureSampler
from reloc.methods.ace.multi_view_stereo import survey_frames
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.plain_views import look
from reloc.methods.ace.region_features import features_by_region
from reloc.methods.ace.regions import map_regions
from reloc.methods.ace.stop_rule import FIRST_CHECK, StopRule
from reloc.methods.ace.training import (
    GrowingRule,
    HeadsTraining,
    TrainedHeads,
    TrainingSnapshot,
)
from reloc.methods.ace.watched_frames import stop_rule_of
from reloc.methods.landmarks import MadeLandmarks
from reloc.methods.until import Until
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame, Scene
from reloc.temporary import temporary_folder
from reloc.training import BEFORE_DECAY, TimeLimit

# Of a time limit, what has gone by when training ends; writing the map takes the rest.
TRAINING_SHARE = 0.98


def map_scene(
    scene: Scene,
    backbone: Backbone,
    *,
    options: MappingOptions | None = None,
    head: int | None = None,
    held_back: Sequence[Frame] = (),
    landmarks: Callable[[float], MadeLandmarks] | None = None,
    device: torch.device | str | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    progress: Progress = silent,
    callback: Callable[[TrainingSnapshot], None] | None = None,
) -> MappingResult:
    """Maps a scene as ACE does: a feature buffer over all images, then heads trained on it.

    The training ends when photos that it does not learn from gain no more by it (``stop_rule``).

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features; the map works with this one only.
        options: sizes and schedule; by default the ``standard`` preset.
        head: train this one alone of the heads that the place has. The map holds its region as that
            of all heads does; ``maps.edit.joined`` makes that one of several such. It makes all
            steps: when a map is good shows with all heads alone.
        held_back: frames by which to see how good the map is; by default some of those that are
            learned from, each localized by landmarks that others show as well.
        landmarks: makes those of the map, given the typical depth of the scene; by default there
            are none. What it takes does not count for the time limit.
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
    if head is not None and (options.heads is None or not 0 <= head < options.heads):
        raise OptionError(f"head {head} alone needs a number of heads that it is one of")
    used = mapping_frames(scene)
    asked = None if options.until is None else Until.parsed(options.until)
    goal = None if asked is None else asked.goal(extent=used.extent, unit=used.unit)
    extractor = FeatureExtractor(backbone, device=pick_device(device))
    checkpoint = None if checkpoint is None else Path(checkpoint)
    identity = {
        "options": asdict(options),
        "head": head,
        "backbone": backbone.fingerprint,
        "frames": used.names,
    }
    stored = load_checkpoint(checkpoint, identity) if resume else None
    diverged = f"{used.root}: training diverged; check the poses and intrinsics with `reloc info`"
    with damage_named(checkpoint, diverged=diverged), temporary_folder() as scratch:
        bounds = Bounds.of(options, clock, frames=len(used))
        bounds = bounds.again(stored) if stored else bounds
        sampler = FeatureSampler.of(used.frames, extractor, options)
        views = look(sampler, bounds=bounds, few=head is not None, progress=progress)
        division = divide(
            views,
            used.poses,
            expected_depth=used.depth,
            options=options,
            head=head,
            place=str(used.root),
        )
        with clock.stopped():
            made = landmarks(division.depth) if landmarks else MadeLandmarks()
        survey = survey_frames(views, used.poses, division, bounds=bounds, progress=progress)
        del views  # further views need the memory
        collector = FeatureCollector(
            sampler,
            survey,
            wanted=division.frames,
            bounds=bounds,
            options=options,
            scratch=scratch,
            progress=progress,
        )
        del survey
        with closing(collector):
            if head is None and options.time_limit is None and _is_checked(options):
                collector.collect_for(FIRST_CHECK / BEFORE_DECAY)
            else:
                collector.collect_all()
            synchronize(extractor.device)
            seconds = {"features": clock.elapsed()}
            training = HeadsTraining(
                features_by_region(used.frames, division, collector.buffer),
                extractor,
                options,
                depth=division.depth,
                of=division.heads,
            )
            rule = stop_rule_of(
                training,
                used,
                made,
                held_back=held_back,
                goal=goal,
                extractor=extractor,
                short_side=options.short_side,
                depth=division.depth,
            )
            grow = partial(_grow, collector, training, options)
            trained = training.run(
                budget=clock.left(TRAINING_SHARE),
                rule=None if head is not None else GrowingRule(rule, grow),
                stored=stored,
                save=partial(_save, checkpoint, identity, collector),
                progress=progress,
                callback=callback,
            )
            collected = collector.collected()
    regions = map_regions(
        trained.heads,
        training.regions,
        collected.descriptors,
        frames=len(used),
        of=division.heads,
    )
    result = finished(
        used,
        regions,
        backbone=backbone.fingerprint,
        short_side=options.short_side,
        device=extractor.device,
        skipped=collected.skipped,
        seconds={**seconds, "training": trained.seconds},
        info={
            "options": asdict(options),
            **asdict(collected.counts),
            "features": collected.buffer.count,
            **_figures(trained, rule),
        },
    )
    return made.given_to(result)


def _is_checked(options: MappingOptions) -> bool:
    """Whether a training is long enough for frames to be looked at before it ends."""
    return BEFORE_DECAY * options.steps > FIRST_CHECK


def _grow(
    collector: FeatureCollector, training: HeadsTraining, options: MappingOptions, steps: float
) -> None:
    """Collects what heads need to go on to so many steps; under a time limit they have it."""
    if options.time_limit is None:
        collector.collect_for(steps)
        training.learn_from([region.grown(collector.buffer) for region in training.regions])


def _save(
    path: Path | None,
    identity: Mapping[str, Any],
    collector: FeatureCollector,
    state: Mapping[str, Any],
) -> None:
    """Writes the state of a training, with what was looked at for it."""
    save_checkpoint(path, identity, {**state, **asdict(collector.collected().counts)})


def _figures(trained: TrainedHeads, rule: StopRule) -> dict[str, Any]:
    """What a map tells of its training."""
    more = rule.more()
    return {
        "steps": trained.steps,
        "median_error_px": round(float(np.mean([s.median_error for s in trained.states])), 3),
        "inlier_share": round(float(np.mean([s.inlier_share for s in trained.states])), 4),
        "good": rule.ended,
        "more": None if more is None else round(more, 1),
    }
