"""Time that a work may take."""

import time

from reloc.training import TimeLimit, time_limit


def test_shares_of_a_limit_count_from_its_beginning(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit, endless = TimeLimit(60.0), TimeLimit(None)
    assert (limit.left(), limit.left(0.5)) == (60.0, 30.0)
    now[0] += 20
    assert limit.elapsed() == 20.0
    assert (limit.left(), limit.left(0.5)) == (40.0, 10.0)
    now[0] += 1000
    assert limit.left() == time_limit.LEAST_SECONDS
    assert endless.left() is endless.left(0.5) is None
