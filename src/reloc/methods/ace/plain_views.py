"""Looking at a place: plain views of frames that are spread evenly over it, each seen once."""

import time
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.mapping.stereo_survey import FRAMES_ASKED, StereoSurvey
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.feature_sampler import FeatureSampler, FeatureSamples
from reloc.methods.ace.view_schedule import ScheduledView
from reloc.progress import Progress, silent
from reloc.sampling import spread_order

# Of the time of a survey, what goes to seeing; sweeping takes the rest.
SEEING_SHARE = 0.45


class PlainViews:
    """What plain views of frames have shown so far; what is seen of one depends on it alone.

    Args:
        sampler: reads the views.
        due: numbers of the frames that may be seen, in that order.

    Attributes:
        due: the same, cut where time was up.
        stereo: compares the views with each other.
        samples: of each frame that could be read, by number.
        descriptors: what these frames look like, by number.
        unusable: why frames are of no use, by number.
    """

    def __init__(self, sampler: FeatureSampler, due: Sequence[int]) -> None:
        self.due = tuple(due)
        self.stereo = StereoSurvey(sampler.reader.frames, stride=sampler.extractor.stride)
        self.samples: dict[int, FeatureSamples] = {}
        self.descriptors: dict[int, NDArray[np.int8]] = {}
        self.unusable: dict[int, str] = {}
        self._sampler = sampler

    def see(
        self,
        frames: Collection[int],
        *,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> None:
        """Sees those of the frames that are due and were not seen before.

        Args:
            frames: their numbers.
            seconds: for the survey; when its share for seeing is over, no further frame is due.
            progress: told after every frame.
        """
        new = set(frames) - self.samples.keys() - self.unusable.keys()
        if not new:
            return
        began = time.monotonic()
        schedule = map(ScheduledView, self.due)
        for seen in self._sampler.sampled(schedule, stage=0, of=new, unusable=self.unusable):
            frame = seen.view.frame
            self.stereo.add(seen.view, seen.features)
            self.samples[frame] = seen.samples
            if seen.descriptor is not None:
                self.descriptors[frame] = seen.descriptor
            progress("features", seen.slot + 1, len(self.due))
            if seconds is not None and time.monotonic() - began > SEEING_SHARE * seconds:
                self.due = self.due[: seen.slot + 1]
                return

    def check_enough(self, wanted: Collection[int]) -> None:
        """Raises SceneError if hardly any image could be used, or none of those wanted."""
        self._sampler.check_enough(self.unusable, len(self.samples.keys() & wanted))


def look(
    sampler: FeatureSampler, *, bounds: Bounds, few: bool = False, progress: Progress = silent
) -> PlainViews:
    """Takes plain views of frames spread evenly.

    Args:
        sampler: of all frames.
        bounds: frames to see, at most, and the time for it.
        few: see those alone that are asked how far they see; more are seen as they are needed.
        progress: told after every frame.
    """
    order = spread_order(len(sampler.reader.frames))[: bounds.surveyed]
    views = PlainViews(sampler, order if few else order[: bounds.due])
    views.see(
        order[:FRAMES_ASKED] if few else views.due,
        # Without those few nothing can be divided, however little time there is.
        seconds=None if few else bounds.survey_seconds(),
        progress=progress,
    )
    return views
