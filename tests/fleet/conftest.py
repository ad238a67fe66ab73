"""Processes that are killed in the middle of their work."""

import os
import signal
import traceback
from collections.abc import Callable

import pytest


@pytest.fixture
def killed_after() -> Callable[[Callable[[], object]], None]:
    """Does some work in a forked process that is killed right after it."""

    def run(work: Callable[[], object]) -> None:
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os.kill(os.getpid(), signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    return run
