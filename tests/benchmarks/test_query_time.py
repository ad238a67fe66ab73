"""Stages and total of queries in two ways, with the ones that fail left out."""

from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest

from reloc.localize import Query
from reloc.localize.estimate import Estimate


class FakeLocalizer:
    def __init__(self, **stages: float) -> None:
        self.stages = stages
        self.calls: list[str] = []

    def localize_many(self, queries: list[Query], *, workers: int) -> Iterator[Estimate]:
        (query,) = queries
        self.calls.append(query.name)
        yield Estimate(query.name, False, None, seconds={} if query.name == "1" else self.stages)


def test_stage_times(script: Callable[[str], ModuleType]) -> None:
    query_time = script("query_time")
    places = FakeLocalizer(read=0.1, backbone=0.2, head=0.3), FakeLocalizer(read=0.1, landmarks=0.4)
    queries = [Query(str(n), np.zeros((8, 8), np.uint8)) for n in range(5)]
    heads, landmarks = query_time.stage_times(places, queries)
    for place, times in zip(places, (heads, landmarks), strict=True):
        assert place.calls == ["0", "1", "2", *"01234"]
        assert {len(seconds) for seconds in times.values()} == {4}
    assert heads["head"] == pytest.approx([0.3] * 4)
    assert (heads["landmarks"], landmarks["head"]) == ([0.0] * 4, [0.0] * 4)
    assert landmarks["landmarks"] == pytest.approx([0.4] * 4)
