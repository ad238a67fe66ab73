"""What the harness needs to know of a loader."""

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reloc.cli.main import main
from reloc.errors import RelocError
from tests.fuzz.mutation import Files


def _nothing(value: Any) -> None:
    """The use of what needs none."""


@dataclass(frozen=True)
class Target:
    """A loader of something from outside.

    Attributes:
        name: unique in the table.
        seeds: valid inputs, by a number below ``count``; made once.
        count: how many there are.
        load: reads the input in a folder. A ``RelocError`` of one line that names one of the files,
            or their folder, is its right to raise; anything else is a fault.
        use: does a little with what was loaded; it may refuse in other words, but in one line.
        pattern: which of the files may be changed.
        named: whether the message has to name a file.
        share: of the inputs of a long run, beside the other targets; slow ones get less.
    """

    name: str
    seeds: Callable[[int], Files]
    count: int
    load: Callable[[Path], Any]
    use: Callable[[Any], Any] = _nothing
    pattern: str = "*"
    named: bool = True
    share: float = 1.0

    def seed(self, number: int) -> Files:
        """The valid input of a number."""
        return _seed(self, number % self.count)


@cache
def _seed(target: Target, number: int) -> Files:
    return target.seeds(number)


class Refused(RelocError):
    """What the command line printed when it refused its input."""


def command(*arguments: object) -> str:
    """What a verb prints.

    Raises:
        Refused: with the message that it ended with.
    """
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        status = main([str(argument) for argument in arguments])
    if status:
        raise Refused(complaint.getvalue().removeprefix("reloc: error: ").removesuffix("\n"))
    return printed.getvalue()


def file_of(write: Callable[[Path], Any], name: str) -> bytes:
    """The bytes that a writer writes to a file of a name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
