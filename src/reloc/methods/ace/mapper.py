"""Mapping a scene: posed images in, a map out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import pick_device, synchronize
from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.mapping.result import MappingResult, finished
from reloc.mapping.scene_scale import scene_scale
from reloc.maps.held_back import Bound
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.division import divide
from reloc.methods.ace.feature_collection import FeatureCollector
from reloc.methods.ace.feature_sampler import FeatureSampler
from reloc.methods.ace.first_guesses import FirstGuesses
from reloc.methods.ace.multi_view_stereo import survey_frames
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.plain_views import look
from reloc.methods.ace.region_features import features_by_region, grown, regions_around
from reloc.methods.ace.regions import map_regions
from reloc.methods.ace.stop_rule import FIRST_CHECK, StopRule
from reloc.methods.ace.training import GrowingRule, HeadsTraining, TrainingSnapshot
from reloc.methods.landmarks import MadeLandmarks
from reloc.methods.until import Until
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes import check_mappable, posed, poses_of
from reloc.scenes.scene import Frame, Scene
from reloc.temporary import temporary_folder
from reloc.training import BEFORE_DECAY, TimeLimit

# Of a time limit, what has gone by when training ends; writing the map takes the rest.
TRAINING_SHARE = 0.98
# Frames that are localized again and again during the training.
WATCHED = 12


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
    bound = Bound.usual(extent=scene.extent(), unit=scene.unit)
    until = None if options.until is None else Until.parsed(options.until)
    if until is not None:
        bound = until.bound(bound, extent=scene.extent(), unit=scene.unit)
    bounds = Bounds.of(options, clock, frames=len(frames))
    sampler = FeatureSampler.of(frames, extractor, options)

    def save(state: Mapping[str, Any]) -> None:
        if checkpoint is not None:
            counts = asdict(collector.collected().counts)
            save_checkpoint(checkpoint, identity, {**state, **counts})

    diverged = f"{scene.root}: training diverged; check the poses and intrinsics with `reloc info`"
    with damage_named(checkpoint, diverged=diverged), temporary_folder() as scratch:
        if stored:
            bounds = bounds.again(stored)
        views = look(sampler, bounds=bounds, few=head is not None, progress=progress)
        division = divide(
            views,
            poses,
            expected_depth=scene_scale(poses),
            options=options,
            head=head,
            place=str(scene.root),
        )
        with clock.stopped():
            made = landmarks(division.depth) if landmarks else MadeLandmarks()
        survey = survey_frames(views, poses, division, bounds=bounds, progress=progress)
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
        surveyed = len(survey.due)
        del survey
        with closing(collector):
            checked = head is None and BEFORE_DECAY * options.steps > FIRST_CHECK
            if stored and options.time_limit is not None:
                collector.collect(bounds.views or 0)
            elif checked:
                first = FIRST_CHECK / BEFORE_DECAY
                collector.collect(bounds.views_for(first, surveyed=surveyed))
            else:
                collector.collect(bounds.views or max(surveyed + 1, bounds.planned))
            synchronize(chosen)
            fill_seconds = clock.elapsed()
            training = HeadsTraining(
                features_by_region(frames, division, collector.buffer),
                extractor,
                options,
                depth=division.depth,
                of=division.heads,
            )

            def grow(steps: float) -> None:
                if options.time_limit is None:
                    steps = min(steps, options.steps)
                    collector.collect(bounds.views_for(steps, surveyed=surveyed))
                    training.learn_from(grown(training.regions, frames, collector.buffer))

            watched = cache(
                partial(
                    FirstGuesses,
                    evenly(held_back or frames, WATCHED),
                    extractor,
                    short_side=options.short_side,
                    regions_of=partial(regions_around, training.regions, poses),
                    solver_of=partial(_solver, made),
                )
            )
            rule = StopRule(
                lambda: watched().made(training.averages, training.regions),
                depth=division.depth,
                until=until,
                bound=bound,
            )
            trained = training.run(
                budget=clock.left(TRAINING_SHARE),
                rule=None if head is not None else GrowingRule(rule, grow),
                stored=stored,
                save=save,
                progress=progress,
                callback=callback,
            )
            collected = collector.collected()
    result = finished(
        scene,
        frames,
        map_regions(
            trained.heads,
            training.regions,
            collected.descriptors,
            frames=len(frames),
            of=division.heads,
        ),
        backbone=backbone.fingerprint,
        short_side=options.short_side,
        device=chosen,
        skipped=collected.skipped,
        seconds={"features": fill_seconds, "training": trained.seconds},
        info={
            "options": asdict(options),
            **asdict(collected.counts),
            "features": collected.buffer.count,
            "steps": trained.steps,
            "median_error_px": round(float(np.mean([s.median_error for s in trained.states])), 3),
            "inlier_share": round(float(np.mean([s.inlier_share for s in trained.states])), 4),
            "good": rule.ended,
            "more": None if (more := rule.more()) is None else round(more, 1),
        },
    )
    return replace(result, scene_map=made.added_to(result.scene_map))


def _solver(made: MadeLandmarks, frame: Frame) -> LandmarkSolver | None:
    """Of the landmarks that a frame may be localized by."""
    known = made.without(frame)
    return None if known is None else LandmarkSolver(known)
