"""How much of the images a mapping looks at, and how much it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reloc.methods.ace.options import MappingOptions
from reloc.restoring import fitting
from reloc.training import TimeLimit
from reloc.untrusted import integer

# Shares of a time limit that go to the survey, and to it and all other views together.
SURVEY_SHARE = 0.2
FILL_SHARE = 0.36
# What a survey holds in memory is in proportion to its frames.
MAX_SURVEYED = 1500
# At least so many views of a frame, on average, or fewer frames are surveyed.
VIEWS_PER_FRAME = 3
# Views of all frames for each step of a head, and of each that is surveyed at least.
VIEWS_PER_STEP = 0.5
VIEWS_OF_SURVEYED = 1.5
MAX_VIEWS = 10_000_000


@dataclass(frozen=True)
class ViewCounts:
    """What was looked at; the same again gives the same buffer.

    Attributes:
        surveyed: frames that were due in the survey.
        swept: those of them whose depth was looked for.
        views: views that were due, those of the survey among them.
    """

    surveyed: int
    swept: int
    views: int


@dataclass(frozen=True)
class Bounds:
    """What a mapping may look at.

    Attributes:
        surveyed: frames, at most, in the survey.
        planned: views of all frames together, at most, where no time limit decides.
        views: of all frames together, at least, where they are to be those of an earlier time.
        due: frames in the survey, where they are to be those of an earlier time.
        swept: frames, at most, whose depth is looked for; None for all that are surveyed.
        clock: of the whole mapping, or one without a limit where time does not decide.
    """

    surveyed: int
    planned: int
    views: int | None = None
    due: int | None = None
    swept: int | None = None
    clock: TimeLimit = field(default_factory=lambda: TimeLimit(None), compare=False)

    @classmethod
    def of(cls, options: MappingOptions, clock: TimeLimit, *, frames: int) -> "Bounds":
        """Those for so many frames."""
        planned = max(options.views, frames)
        surveyed = min(frames, MAX_SURVEYED)
        if clock.seconds is None:
            surveyed = min(surveyed, -(-planned // VIEWS_PER_FRAME))
        return cls(surveyed, planned, clock=clock)

    def survey_seconds(self) -> float | None:
        """What is left for the survey; None for as long as it needs."""
        return self.clock.left(SURVEY_SHARE)

    def fill_seconds(self) -> float | None:
        """What is left for the survey and all other views; None for as long as they need."""
        return self.clock.left(FILL_SHARE)

    def again(self, state: Mapping[str, Any]) -> "Bounds":
        """Those to look at the very same as before, however long it takes.

        Args:
            state: of a checkpoint, which has the fields of ``ViewCounts`` among others.

        Raises:
            UnfitState: it looked at more than the bounds allow.
        """
        with fitting():
            surveyed = integer(state["surveyed"], "frames", least=1, most=self.surveyed)
            swept = integer(state["swept"], "frames", most=surveyed)
            views = integer(state["views"], "views", least=surveyed, most=MAX_VIEWS)
        return replace(self, due=surveyed, views=views, swept=swept, clock=TimeLimit(None))

    def views_for(self, steps: float, *, surveyed: int) -> int:
        """Views that there are to be by the time that heads have made so many steps.

        What is looked at grows with the training: a place that is known soon needs few views.
        """
        wanted = max(round(VIEWS_OF_SURVEYED * surveyed), round(VIEWS_PER_STEP * steps))
        return max(self.views or 0, surveyed + 1, min(self.planned, wanted))

    def rows(self, options: MappingOptions, *, wanted: int) -> int | None:
        """Features to make room for, if so many frames are wanted; None for all that fit."""
        if options.time_limit:
            return None
        # No frame is looked at more often than those are that were surveyed.
        views = min(self.planned, wanted * -(-self.planned // self.surveyed))
        return views * options.cells_per_view
