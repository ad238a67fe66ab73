"""Reading ahead: items are made ready in threads while those before them are in use."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def reading_threads() -> int:
    """How many threads read images ahead: one for each core that the process may use, or two."""
    usable = getattr(os, "sched_getaffinity", None)  # Linux alone tells which
    return max(2, len(usable(0)) if usable else os.cpu_count() or 1)


@contextmanager
def prefetched(
    make: Callable[[Item], Result], items: Iterable[Item], *, ahead: int, workers: int = 2
) -> Iterator[Iterator[tuple[Item, Future[Result]]]]:
    """Items in order, each with its result, which threads compute ahead of the consumer.

    ``items`` is asked in the consumer's thread, for the next one only when there is room: what it
    gives may depend on the results that were consumed before, but for the last ``ahead`` - 1.

    A future holds the error if ``make`` raised one for its item; the others are not affected. At
    the end of the block, however it comes, what has not begun is dropped and what has begun is
    waited for, so that no thread is left behind.

    Args:
        make: computes the result of an item; called in threads.
        items: any number, also without end.
        ahead: so many are submitted before the first is handed out, which bounds the memory.
        workers: threads; with one, results are computed in the order of the items.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()

        def in_order() -> Iterator[tuple[Item, Future[Result]]]:
            for item in items:
                waiting.append((item, pool.submit(make, item)))
                if len(waiting) >= ahead:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()

        try:
            yield in_order()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
