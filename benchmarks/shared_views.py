"""Several mappings of one scene that share their views, each paying the time that these took.

What differs between such maps is then due to their heads alone, and measuring them takes less time.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from reloc.methods.ace import mapper
from reloc.methods.ace.feature_collection import FeatureCollector


@contextlib.contextmanager
def sharing_views(clock: Callable[[], float]) -> Iterator[None]:
    """Where mappings, all of one scene and with one time limit, see their views only once.

    Args:
        clock: what limits and times are counted by.
    """
    made: dict[str, tuple[Any, float]] = {}
    paid = 0.0

    def now() -> float:
        return clock() + paid

    def once(make: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal paid
            if make.__qualname__ in made:
                paid += made[make.__qualname__][1]
            else:
                began = clock()
                made[make.__qualname__] = make(*args, **options), clock() - began
            return made[make.__qualname__][0]

        return call

    with (
        mock.patch.object(mapper, "look", once(vars(mapper)["look"])),
        mock.patch.object(mapper, "survey_frames", once(vars(mapper)["survey_frames"])),
        mock.patch.object(mapper, "FeatureCollector", once(FeatureCollector)),
        mock.patch.object(FeatureCollector, "collect", once(FeatureCollector.collect)),
        mock.patch.object(time, "monotonic", now),
        mock.patch.object(time, "perf_counter", now),
    ):
        yield
