"""How much of the images a mapping looks at: bounds for the survey and for all views after it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.fill import BufferFiller
from reloc.mapping.options import MappingOptions
from reloc.progress import Progress
from reloc.restoring import fitting
from reloc.untrusted import integer

# Shares of a time limit that go to the survey, and to it and all other views together.
SURVEY_SHARE = 0.2
FILL_SHARE = 0.36
# What a survey holds in memory is in proportion to its frames.
MAX_SURVEYED = 1500
# At least so many views of a frame, on average, or fewer frames are surveyed.
VIEWS_PER_FRAME = 3
MAX_VIEWS = 10_000_000


@dataclass(frozen=True)
class Gathered:
    """What was looked at; the same again gives the same buffer.

    Attributes:
        surveyed: frames that were due in the survey.
        swept: those of them whose depth was looked for.
        views: views that were due, those of the survey among them.
    """

    surveyed: int
    swept: int
    views: int

    @classmethod
    def stored(cls, state: Mapping[str, Any], bounds: "Bounds") -> "Gathered":
        """That of a checkpoint, which has its fields among others.

        Raises:
            UnfitState: it looked at more than the bounds allow.
        """
        with fitting():
            surveyed = integer(state["surveyed"], "frames", least=1, most=bounds.surveyed)
            swept = integer(state["swept"], "frames", most=surveyed)
            views = integer(state["views"], "views", least=surveyed, most=MAX_VIEWS)
            return cls(surveyed, swept, views)


@dataclass(frozen=True)
class Bounds:
    """What a mapping may look at.

    Attributes:
        surveyed: frames, at most, in the survey.
        planned: views of all frames together, where no time limit decides.
    """

    surveyed: int
    planned: int

    @classmethod
    def of(cls, options: MappingOptions, *, frames: int) -> "Bounds":
        """Those for so many frames."""
        planned = max(options.views, frames)
        surveyed = min(frames, MAX_SURVEYED)
        if not options.time_limit:
            surveyed = min(surveyed, -(-planned // VIEWS_PER_FRAME))
        return cls(surveyed, planned)

    def rows(self, options: MappingOptions, *, wanted: int) -> int | None:
        """Features to make room for, if so many frames are wanted; None for all that fit."""
        if options.time_limit:
            return None
        # No frame is looked at more often than those are that were surveyed.
        views = min(self.planned, wanted * -(-self.planned // self.surveyed))
        return views * options.cells_per_view


def gather(
    filler: BufferFiller,
    buffer: FeatureBuffer,
    bounds: Bounds,
    *,
    limit: float | None,
    began: float,
    earlier: Gathered | None,
    progress: Progress,
) -> Gathered:
    """Fills a buffer, first with a survey and then with further views.

    Args:
        filler: of the scene.
        buffer: what to fill.
        bounds: what to look at, at most.
        limit: seconds for the whole mapping, of which this takes its share.
        began: when that time started, by ``time.monotonic``.
        earlier: look at the very same, however long it takes.
        progress: told of every view.

    Raises:
        SceneError: hardly any image could be read.
    """
    timed = limit is not None and earlier is None
    surveyed = filler.survey(
        buffer,
        max_frames=earlier.surveyed if earlier else bounds.surveyed,
        max_swept=earlier.swept if earlier else None,
        seconds=SURVEY_SHARE * limit if limit and timed else None,
        progress=progress,
    )
    more = earlier.views if earlier else max(surveyed.frames + 1, bounds.planned)
    views = filler.fill(
        buffer,
        max_views=None if timed else more - surveyed.frames,
        seconds=FILL_SHARE * limit - (time.monotonic() - began) if limit and timed else None,
        progress=progress,
    )
    return Gathered(surveyed.frames, surveyed.swept, surveyed.frames + views)
