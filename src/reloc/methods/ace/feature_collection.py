"""Collecting features: the buffer that heads learn from, filled from views of all frames."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.ace.bounds import Bounds, ViewCounts
from reloc.methods.ace.feature_buffer import FeatureBuffer, empty_buffer
from reloc.methods.ace.feature_sampler import FeatureSampler, FeatureSamples, SampledView
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


class FeatureCollector:
    """Fills a buffer with the features of the survey and of further views, in passes over frames.

    It may be asked for more views again and again; what they are depends on their number alone.

    Args:
        sampler: of all frames.
        survey: what plain views have told.
        wanted: numbers of the frames that are learned from.
        bounds: views to look at, at most, and the time for it.
        options: sizes of the buffer.
        scratch: folder for a buffer that does not fit into memory.
        progress: told after every view.

    Attributes:
        buffer: what heads learn from.

    Raises:
        OutputError: the disk of that folder is too small.
    """

    def __init__(
        self,
        sampler: FeatureSampler,
        survey: SurveyedFrames,
        *,
        wanted: Collection[int],
        bounds: Bounds,
        options: MappingOptions,
        scratch: Path,
        progress: Progress = silent,
    ) -> None:
        frames = sampler.reader.frames
        centers = np.array([frame.world_from_cam for frame in frames])[:, :3, 3]
        self.buffer = empty_buffer(
            centered_cam_from_world(frames, centers.mean(axis=0)),
            sampler.extractor,
            rows=bounds.rows(options, wanted=len(wanted)),
            memory_gb=options.buffer_gb,
            scratch=scratch,
        )
        for samples in survey.samples:
            _append(self.buffer, samples)
        self._sampler = sampler
        self._bounds = bounds
        self._progress = progress
        self._descriptors, self._unusable = dict(survey.descriptors), dict(survey.unusable)
        self._surveyed, self._swept = len(survey.due), survey.swept
        self._steps = options.steps
        self._due = 0
        self._ahead: SampledView | None = None
        self._views = sampler.sampled(
            passes_over(
                survey.visited,
                wanted=wanted,
                unusable=self._unusable,
                with_depth=survey.inverse_depths,
                seed=options.seed,
            ),
            stage=1,
            of=wanted,
            unusable=self._unusable,
            depth=survey.depth,
            inverse_depths=survey.inverse_depths,
        )

    def collect_for(self, steps: float) -> None:
        """Looks on until there is enough for heads that make so many steps; see ``collect``."""
        steps = min(steps, self._steps)
        self.collect(self._bounds.views_for(steps, surveyed=self._surveyed))

    def collect_all(self) -> None:
        """Looks at all that may be looked at; see ``collect``."""
        self.collect(self._bounds.views or max(self._surveyed + 1, self._bounds.planned))

    def collect(self, views: int) -> None:
        """Looks on until so many views were due, those of the survey among them, or time is up.

        Raises:
            SceneError: hardly any image could be read.
        """
        buffer, started = self.buffer, time.monotonic()
        seconds = self._bounds.fill_seconds()
        room = -(-(buffer.capacity - buffer.count) // self._sampler.cells_per_view)
        most = self._due + room if seconds is not None else views - self._surveyed
        while self._due < most and buffer.count < buffer.capacity:
            seen = self._ahead or next(self._views, None)
            self._ahead = None
            if seen is None:
                break
            if seen.slot >= most:
                # Those that were due before are of frames that are of no use here.
                self._ahead, self._due = seen, most
                break
            if seen.descriptor is not None:
                self._descriptors.setdefault(seen.view.frame, seen.descriptor)
            _append(buffer, seen.samples)
            self._due = seen.slot + 1
            elapsed = time.monotonic() - started
            in_time = most
            if seconds is not None:
                in_time = min(in_time, round(self._due * seconds / max(elapsed, 1e-3)))
            self._progress("views", self._due, max(self._due, in_time))
            if seconds is not None and elapsed > seconds:
                break
        self._sampler.check_enough(self._unusable, buffer.count)

    def collected(self) -> CollectedFeatures:
        """What the images gave so far."""
        return CollectedFeatures(
            self.buffer,
            self._descriptors,
            self._sampler.reader.skipped(self._unusable),
            ViewCounts(self._surveyed, self._swept, self._surveyed + self._due),
        )

    def close(self) -> None:
        """Ends the reading ahead."""
        self._views.close()


def _append(buffer: FeatureBuffer, samples: FeatureSamples) -> None:
    buffer.append(
        samples.features,
        torch.from_numpy(samples.rays),
        samples.focal,
        samples.frame,
        torch.from_numpy(samples.inverse_depths),
    )
