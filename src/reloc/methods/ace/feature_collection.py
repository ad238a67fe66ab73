"""Collecting features: the buffer that heads learn from, filled from views of all frames."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.ace.bounds import Bounds, ViewCounts
from reloc.methods.ace.feature_buffer import FeatureBuffer, empty_buffer
from reloc.methods.ace.feature_sampler import FeatureSampler, FeatureSamples
from reloc.methods.ace.multi_view_stereo import SurveyedFrames
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.view_schedule import passes_over
from reloc.progress import Progress, silent
from reloc.scenes.scene import Skipped


@dataclass(frozen=True)
class CollectedFeatures:
    """What the images gave.

    Attributes:
        buffer: what heads learn from.
        descriptors: what plain views of the frames look like, by number.
        skipped: frames of which no image could be used, in the order in which that was found out.
        counts: what was looked at.
    """

    buffer: FeatureBuffer
    descriptors: Mapping[int, NDArray[np.int8]]
    skipped: tuple[Skipped, ...]
    counts: ViewCounts


def collect_features(
    sampler: FeatureSampler,
    survey: SurveyedFrames,
    *,
    wanted: Collection[int],
    bounds: Bounds,
    options: MappingOptions,
    scratch: Path,
    progress: Progress = silent,
) -> CollectedFeatures:
    """Makes a buffer of the features of the survey and of further views, in passes over the frames.

    Args:
        sampler: of all frames.
        survey: what plain views have told.
        wanted: numbers of the frames that are learned from.
        bounds: views to look at, at most, and the time for it.
        options: sizes of the buffer.
        scratch: folder for a buffer that does not fit into memory.
        progress: told after every view.

    Raises:
        SceneError: hardly any image could be read.
        OutputError: the disk of that folder is too small.
    """
    frames = sampler.reader.frames
    centers = np.array([frame.world_from_cam for frame in frames])[:, :3, 3]
    buffer = empty_buffer(
        centered_cam_from_world(frames, centers.mean(axis=0)),
        sampler.extractor,
        rows=bounds.rows(options, wanted=len(wanted)),
        memory_gb=options.buffer_gb,
        scratch=scratch,
    )
    for samples in survey.samples:
        _append(buffer, samples)
    descriptors, unusable = dict(survey.descriptors), dict(survey.unusable)
    schedule = passes_over(
        survey.visited,
        wanted=wanted,
        unusable=unusable,
        with_depth=survey.inverse_depths,
        seed=options.seed,
    )
    most = bounds.further_views(len(survey.due))
    due, started = 0, time.monotonic()
    seconds = bounds.fill_seconds()
    room = -(-(buffer.capacity - buffer.count) // sampler.cells_per_view)
    views = sampler.sampled(
        islice(schedule, most if room else 0),
        stage=1,
        of=wanted,
        unusable=unusable,
        depth=survey.depth,
        inverse_depths=survey.inverse_depths,
    )
    for seen in views:
        frame = seen.view.frame
        if seen.descriptor is not None:
            descriptors.setdefault(frame, seen.descriptor)
        _append(buffer, seen.samples)
        due = seen.slot + 1
        elapsed = time.monotonic() - started
        in_time = most or room
        if seconds is not None:
            in_time = min(in_time, round(due * seconds / max(elapsed, 1e-3)))
        progress("views", due, max(due, in_time))
        if buffer.count == buffer.capacity or (seconds is not None and elapsed > seconds):
            break
    sampler.check_enough(unusable, buffer.count)
    surveyed = len(survey.due)
    return CollectedFeatures(
        buffer,
        descriptors,
        sampler.reader.skipped(unusable),
        ViewCounts(surveyed, survey.swept, surveyed + due),
    )


def _append(buffer: FeatureBuffer, samples: FeatureSamples) -> None:
    buffer.append(
        samples.features,
        torch.from_numpy(samples.rays),
        samples.focal,
        samples.frame,
        torch.from_numpy(samples.inverse_depths),
    )
