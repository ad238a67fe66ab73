"""What the verbs of the command line share: the console, and progress on it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import RawIOBase
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from reloc.errors import OutputError
from reloc.files import json_text
from reloc.progress import Progress, silent

_SECONDS_BETWEEN_LINES = 5.0


def console() -> Console:
    """The console for results, on standard output."""
    return Console(highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(*, quiet: bool = False, json_log: Path | None = None) -> Iterator[Progress]:
    """Yields a ``Progress`` that shows on standard error, so that results stay clean.

    On a terminal a bar for each stage, with its speed, the time left and its figures; elsewhere, as
    in a log file, a plain line every few seconds.

    Args:
        quiet: show nothing.
        json_log: also write all of it to this file, see ``recorded``.

    Raises:
        OutputError: the file cannot be written, or no longer.
    """
    with ExitStack() as stack:
        shown: Progress = silent
        screen = Console(stderr=True, highlight=False)
        if not quiet and screen.is_terminal:
            bars = _BarProgress(stack.enter_context(_bars(screen)))
            stack.callback(bars.end)
            shown = bars
        elif not quiet:
            shown = _LineProgress(screen)
        yield shown if json_log is None else stack.enter_context(recorded(shown, json_log))


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
            _append(file, (json_text(line, indent=None) + "\n").encode())
        except OSError as error:
            raise unwritable(error) from error

    with file:
        yield record


def _append(file: RawIOBase, line: bytes) -> None:
    """Writes a line whole, or leaves the file as it was. Raises OSError."""
    whole = line
    try:
        while line:
            line = line[file.write(line) or 0 :]
    except OSError:
        if file.seekable() and len(line) < len(whole):
            file.truncate(file.tell() - (len(whole) - len(line)))
        raise


def _bars(screen: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _SpeedColumn(),
        _TimeColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        console=screen,
    )


class _SpeedColumn(ProgressColumn):
    """How much is done per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(_speed(speed) if speed else "", style="progress.data.speed")


class _TimeColumn(ProgressColumn):
    """How long a stage has taken and will take; of one that is over, what it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        spent = _clock(task.finished_time if task.finished else task.elapsed)
        if task.finished or task.stop_time is not None:
            return Text(f"took {spent}", style="progress.elapsed")
        left = task.time_remaining
        more = "" if left is None else f", about {_clock(left)} left"
        return Text(f"{spent}{more}", style="progress.remaining")


def _clock(seconds: float | None) -> str:
    """A time as 8 s, 2:05 min or 1:02:05 h."""
    whole = round(seconds or 0.0)
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def _speed(per_second: float) -> str:
    return f"{per_second:.3g}/s" if per_second < 100 else f"{per_second:.0f}/s"


def _figures(metrics: dict[str, float]) -> str:
    """Figures as a person reads them; those that are not known here with their own name."""
    known = {
        "inliers": lambda share: f"inliers {100 * share:.0f} %",
        "median_px": lambda pixels: f"median {pixels:.3g} px",
    }
    return "  ".join(
        known[name](value) if name in known else f"{name} {value:.4g}"
        for name, value in metrics.items()
    )


class _BarProgress:
    """One bar for each stage; that of a stage is at rest while another is heard of."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._last: str | None = None

    def end(self) -> None:
        """The clock of a stage that ended before its total stops, too."""
        if self._last is not None:
            self._bars.stop_task(self._tasks[self._last])

    def __call__(self, stage: str, done: int, total: int, **metrics: float) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, figures="")
        number = self._tasks[stage]
        task = next(task for task in self._bars.tasks if task.id == number)
        if stage != self._last:
            self.end()
            task.stop_time = None
            self._last = stage
        # By hand: Rich forgets its measured speed when a new total comes through update(), and
        # under a time limit the total is corrected all the time.
        task.total = total
        self._bars.update(number, completed=done)
        if metrics:
            self._bars.update(number, figures=_figures(metrics))


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
        pace = ""
        if before < done and now > started:
            speed = (done - before) / (now - started)
            pace = f", {_speed(speed)}"
            if done < total:
                pace += f", about {(total - done) / speed:.0f} s left"
        # Names of files may stand in a stage, and brackets in names.
        line = f"{stage}: {done}/{total}{pace}  {_figures(metrics)}".rstrip()
        self._screen.print(line, markup=False, soft_wrap=True)
