"""Stages and total of queries, with the ones that fail left out."""

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from reloc.localize import Query
from reloc.localize.estimate import Estimate


class FakeLocalizer:
    place = SimpleNamespace(landmarks=None)

    def __init__(self) -> None:
        self.calls: list[str] = []

    def localize_many(self, queries: list[Query], *, workers: int) -> Iterator[Estimate]:
        (query,) = queries
        self.calls.append(query.name)
        stages = {"read": 0.1, "backbone": 0.2, "head": 0.3, "pose": 0.4}
        yield Estimate(query.name, False, None, seconds={} if query.name == "1" else stages)


def test_stage_times(script: Callable[[str], ModuleType]) -> None:
    query_time = script("query_time")
    localizer = FakeLocalizer()
    queries = [Query(str(n), np.zeros((8, 8), np.uint8)) for n in range(5)]
    times = query_time.stage_times(localizer, queries)
    assert localizer.calls == ["0", "1", "2", *"01234"]
    assert {stage: len(seconds) for stage, seconds in times.items()} == {
        "read": 4, "backbone": 4, "head": 4, "pose": 4, "total": 4,
    }  # fmt: skip
    assert times["head"] == pytest.approx([0.3] * 4)
