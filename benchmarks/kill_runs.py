"""Verbs in processes of their own that are killed at a chosen moment.

The processes are forked from this one, so that nothing is imported twice. Nothing here may compute
with PyTorch before: its threads would not live in a fork.
"""

import mmap
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALLS = ("fsync", "replace", "rename")
MAX_STEPS = 100_000


@dataclass(frozen=True)
class TrainingSnapshot:
    """When a process is killed.

    Attributes:
        call: at this call of fsync and rename, counted from 0; None: whichever.
        after: once that call is done, not before.
        seconds: or so long after its start.
    """

    call: int | None = None
    after: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """How a process ended.

    Attributes:
        status: its exit status; None if it was killed.
        calls: of fsync and rename that it made.
        steps: (S,) when each step of a training was done, seconds since its start.
        seconds: how long it ran.
        said: on standard error.
    """

    status: int | None
    calls: int
    steps: NDArray[np.float64]
    seconds: float
    said: str


def run(
    arguments: Sequence[str],
    *,
    main: Callable[[list[str]], int],
    scratch: Path,
    trained: Sequence[tuple[Any, str]] = (),
    kill: TrainingSnapshot | None = None,
) -> Run:
    """Runs a verb in a process of its own.

    Args:
        arguments: of the command line.
        main: what they are handed to.
        scratch: the folder for temporary files, and for what is said.
        trained: classes and names of the methods that make a step of a training.
        kill: when to kill it.
    """
    shared = np.frombuffer(mmap.mmap(-1, 8 * (MAX_STEPS + 2)), np.float64)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _work(arguments, main, scratch, trained, kill, shared, began)
    if kill is not None and kill.call is None:
        while time.monotonic() - began < kill.seconds and not os.waitid(
            os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    _, how = os.waitpid(child, 0)
    return Run(
        status=None if os.WIFSIGNALED(how) else os.waitstatus_to_exitcode(how),
        calls=int(shared[0]),
        steps=shared[2 : 2 + int(shared[1])].copy(),
        seconds=time.monotonic() - began,
        said=(scratch / "said").read_text("utf-8", "replace"),
    )


def _work(
    arguments: Sequence[str],
    main: Callable[[list[str]], int],
    scratch: Path,
    trained: Sequence[tuple[Any, str]],
    kill: TrainingSnapshot | None,
    shared: NDArray[np.float64],
    began: float,
) -> None:
    """What the forked process does; it never returns."""
    status = 99
    try:
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        said = os.open(scratch / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        for name in CALLS:
            setattr(os, name, _deadly(getattr(os, name), kill, shared))
        for owner, name in trained:
            setattr(owner, name, _noted(getattr(owner, name), shared, began))
        status = main(list(arguments))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _deadly(
    call: Callable[..., Any], kill: TrainingSnapshot | None, shared: NDArray[np.float64]
) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        number = int(shared[0])
        shared[0] += 1
        due = kill is not None and kill.call == number
        if due and kill is not None and not kill.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **options)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return counted


def _noted(
    step: Callable[..., Any], shared: NDArray[np.float64], began: float
) -> Callable[..., Any]:
    def noted(*arguments: Any, **options: Any) -> Any:
        result = step(*arguments, **options)
        shared[2 + int(shared[1])] = time.monotonic() - began
        shared[1] += 1
        return result

    return noted
