"""What the verbs of the command line share: the console, and progress on it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from reloc.errors import OutputError
from reloc.files import json_text
from reloc.progress import Progress, silent

_SECONDS_BETWEEN_LINES = 5.0


def console() -> Console:
    """The console for results, on standard output."""
    return Console(highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Yields a ``Progress`` that shows on standard error, so that results stay clean.

    A bar with the time left for each stage on a terminal; elsewhere, as in a log file, a plain line
    every few seconds.

    Args:
        quiet: show nothing.
    """
    screen = Console(stderr=True, highlight=False)
    if quiet:
        yield silent
    elif screen.is_terminal:
        with _bars(screen) as bars:
            yield _BarProgress(bars)
    else:
        yield _LineProgress(screen)


@contextmanager
def recorded(progress: Progress, path: Path, *, append: bool = False) -> Iterator[Progress]:
    """Yields the progress, also written as JSON lines.

    Args:
        progress: what is told of the work besides.
        path: the file; missing parent folders are made.
        append: keep the lines that the file holds.

    Raises:
        OutputError: the file cannot be written, or no longer.
    """

    def unwritable(error: OSError) -> OutputError:
        return OutputError(
            f"{path}: cannot be written ({error.strerror}); choose a file with space and write "
            "permission"
        )

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab" if append else "wb", buffering=0)
    except OSError as error:
        raise unwritable(error) from error
    began = time.monotonic()

    def record(stage: str, done: int, total: int, **figures: float) -> None:
        progress(stage, done, total, **figures)
        seconds = round(time.monotonic() - began, 3)
        line = {"seconds": seconds, "stage": stage, "done": done, "total": total, **figures}
        try:
            file.write((json_text(line, indent=None) + "\n").encode())
        except OSError as error:
            raise unwritable(error) from error

    with file:
        yield record


def _bars(screen: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=screen,
    )


def _figures(metrics: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


class _BarProgress:
    """One bar for each stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int, **metrics: float) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, figures="")
        self._bars.update(
            self._tasks[stage], completed=done, total=total, figures=_figures(metrics)
        )


class _LineProgress:
    """A line when a stage starts and ends, and at most one every few seconds between."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        # When each stage was first heard of, and how much was done by then: work that is resumed
        # does not begin with nothing.
        self._started: dict[str, tuple[float, int]] = {}
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int, **metrics: float) -> None:
        now = time.monotonic()
        new = stage not in self._started
        started, before = self._started.setdefault(stage, (now, done))
        if not new and done < total and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        left = ""
        if before < done < total and now > started:
            seconds = (now - started) * (total - done) / (done - before)
            left = f", about {seconds:.0f} s left"
        self._screen.print(f"{stage}: {done}/{total}{left}  {_figures(metrics)}".rstrip())
