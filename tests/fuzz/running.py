"""One input through one loader, and what to make of how it ended."""

import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from reloc.errors import RelocError
from tests.fuzz.mutation import Files, mutated
from tests.fuzz.target import Refused, Target

Ending = Literal["loaded", "refused", "message", "traceback", "memory", "hang", "crash"]
FAULTS: tuple[Ending, ...] = ("message", "traceback", "memory", "hang", "crash")
# What a loader may take beside what was taken before it began: one colour image of the largest size
# that is read, twice.
MEMORY_BYTES = 1 << 30
MESSAGE_LETTERS = 1500


@dataclass(frozen=True)
class Outcome:
    """How an input ended.

    Attributes:
        ending: ``loaded`` and ``refused`` are right, all else is a fault.
        where: the innermost line of the package that a fault passed through, or what else tells
            faults apart.
        detail: the message, or the last lines of the traceback.
    """

    ending: Ending
    where: str = ""
    detail: str = ""

    @property
    def faulty(self) -> bool:
        return self.ending in FAULTS


def input_of(target: Target, *, seed: int, number: int) -> dict[str, bytes]:
    """The input of a number: the first few are valid, all others changed."""
    valid = target.seed(number)
    if number < target.count:
        return dict(valid)
    return mutated(valid, Random(f"{seed}/{target.name}/{number}"), pattern=target.pattern)


def run_input(target: Target, files: Files, scratch: Path) -> Outcome:
    """Lays the files into a folder of ``scratch`` and lets the target load them."""
    folder = scratch / "place"
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    names = {folder.name, *(name.rpartition("/")[2] for name in files)}
    with _watched_memory() as grown, warnings.catch_warnings():
        # A warning is for whoever sees it; the run is about what a loader returns or raises.
        warnings.simplefilter("ignore")
        outcome = _ended(target, folder, names)
    if outcome.ending in ("loaded", "refused") and grown[0] > MEMORY_BYTES:
        return Outcome("memory", target.name, f"{grown[0] >> 20} MiB; {outcome.detail}")
    return outcome


def _ended(target: Target, folder: Path, names: set[str]) -> Outcome:
    stage = "load"
    try:
        value: Any = target.load(folder)
        stage = "use"
        target.use(value)
    except RelocError as error:
        message = str(error)
        problem = _problem(message, names if target.named and stage == "load" else set())
        if problem:
            return Outcome("message", f"{_innermost(error, target)} {problem}", message[:2000])
        return Outcome("refused", type(error).__name__, message[:200])
    except Exception as error:
        lines = traceback.format_exception(error)
        return Outcome(
            "traceback",
            f"{_innermost(error, target)} {type(error).__name__}",
            "".join(lines)[-3000:],
        )
    return Outcome("loaded")


def _problem(message: str, names: set[str]) -> str | None:
    if not message.strip() or len(message.splitlines()) > 1:
        return "is not one line"
    if names and not any(name in message for name in names):
        return "does not name the file"
    if len(message) > MESSAGE_LETTERS:
        return "is too long"
    return None


def _innermost(error: BaseException, target: Target) -> str:
    """The last line of the package in a traceback, as ``scenes/text.py:25 read_text``."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/src/reloc/" in frame.filename
    ]
    if isinstance(error, Refused) or not frames:
        return f"outside the package, for {target.name}"
    last = frames[-1]
    return f"{last.filename.rpartition('/src/reloc/')[2]}:{last.lineno} {last.name}"


@contextmanager
def _watched_memory() -> Iterator[list[int]]:
    """Yields a list whose one entry is, afterwards, by how much the memory grew at its highest.

    Linux tells; elsewhere it is 0.
    """
    grown = [0]
    status = Path("/proc/self/status")
    if not status.exists():
        yield grown
        return
    before = _kib(status, "VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        before = 1 << 60
    yield grown
    grown[0] = max(0, _kib(status, "VmHWM") - before) << 10


def _kib(status: Path, key: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1])


def quieted() -> None:
    """Sends what libraries print about broken files to nowhere: OpenCV and FFmpeg say a lot."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
