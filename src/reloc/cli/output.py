"""Standard output that is closed, full, or no longer read."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps

Main = Callable[[Sequence[str] | None], int]


def to_the_end(main: Main) -> Callable[..., int]:
    """A program that also answers for its last output, before the interpreter ends.

    Python writes what it kept back when it ends, and complains in its own words if it cannot. The
    exit status is 1, without a word, where nobody reads on, and 2 where the output finds no room.
    Streams that were closed from the start lead nowhere: files that the program opens would take
    their place.
    """

    @wraps(main)
    def wrapped(arguments: Sequence[str] | None = None) -> int:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        try:
            status = main(arguments)
        except SystemExit as stop:
            failed = _finish()
            if not failed:
                raise
            return stop.code if isinstance(stop.code, int) and stop.code else failed
        except OSError as error:  # of a print
            return _failed(error)
        failed = _finish()
        return status or failed

    return wrapped


def _finish() -> int:
    """Writes what is left; returns the exit status of an output that failed, else 0."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _failed(error)
    return 0


def _failed(error: OSError) -> int:
    """Says what is to be said of an output that failed; returns the exit status."""
    # The rest goes nowhere, so that Python does not try again.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    if isinstance(error, BrokenPipeError):
        return 1
    print(
        f"reloc: error: standard output cannot be written ({error.strerror}); send it to a place "
        "with space",
        file=sys.stderr,
    )
    return 2
