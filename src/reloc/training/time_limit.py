"""Wall time that a work may take, and what is left of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# No stage gets less, so that even a limit that reading has used up gives a result.
LEAST_SECONDS = 1.0


class TimeLimit:
    """A limit for a work that begins when this is made.

    Args:
        seconds: for all of the work; None if it may take as long as it does.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._began = time.monotonic()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What the block takes does not count."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - began

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def left(self, share: float = 1.0) -> float | None:
        """Seconds until a share of the limit is used up, 1 at least; None if there is no limit."""
        if self.seconds is None:
            return None
        return max(LEAST_SECONDS, share * self.seconds - self.elapsed())
