"""Reading ahead: in order, bounded, with errors at their item and no thread left behind."""

import os
import threading
import time
from itertools import count

import pytest

from reloc.prefetching import prefetched, reading_threads


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_results_come_in_the_order_of_the_items():
    second_done = threading.Event()

    def make(item):
        if item == 0:
            assert second_done.wait(10)
        elif item == 1:
            second_done.set()
        return item * item

    with prefetched(make, range(7), ahead=3) as results:
        assert [(item, job.result()) for item, job in results] == [(n, n * n) for n in range(7)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_only_so_many_are_ahead_of_the_consumer(ahead):
    asked = []

    def items():
        for number in count():
            asked.append(number)
            yield number

    with prefetched(str, items(), ahead=ahead) as results:
        for number in range(9):
            item, job = next(results)
            assert job.result() == str(item) == str(number)
            assert len(asked) == number + ahead


def test_an_error_belongs_to_its_item():
    with prefetched(lambda item: 6 // item, [3, 0, 2], ahead=3) as results:
        jobs = [job for _, job in results]
    assert [jobs[0].result(), jobs[2].result()] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        jobs[1].result()


def test_what_is_given_may_depend_on_what_was_consumed():
    """As the schedule of views leaves out frames that turned out to be unusable."""
    bad = set()
    items = (number % 3 for number in range(12) if number % 3 not in bad)
    made = []
    with prefetched(lambda item: item, items, ahead=2) as results:
        for item, _ in results:
            made.append(item)
            if item == 1:
                bad.add(item)
    # One more of the bad ones was not yet on its way when the first was consumed.
    assert made == [0, 1, 2, 0, 2, 0, 2, 0, 2]


@pytest.mark.parametrize("raises", [False, True])
def test_a_consumer_that_stops_leaves_nothing_running(raises):
    began = []

    def make(item):
        began.append(item)
        time.sleep(0.01)

    def stop():
        with prefetched(make, count(), ahead=200, workers=1) as results:
            next(results)
            if raises:
                raise KeyboardInterrupt

    if raises:
        with pytest.raises(KeyboardInterrupt):
            stop()
    else:
        stop()
    assert 1 <= len(began) < 200


def test_there_is_a_thread_for_each_core_and_never_one_alone(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    assert reading_threads() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(7)))
    assert reading_threads() == 7
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert reading_threads() == 5
