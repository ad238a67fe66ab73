"""Signals that end the work as Ctrl-C does, and steps that none of them cuts in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

# Windows has no SIGHUP.
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than that of Ctrl-C.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise ``Stopped``, as Ctrl-C raises KeyboardInterrupt.

    What is saved on Ctrl-C is then saved for them too, and temporary files are removed. Once a
    signal came, further ones after the block end the process at once. Signals that are ignored, as
    under nohup, stay so. Signals reach the main thread alone: in any other this does nothing.
    """
    before: dict[signal.Signals, Any] = {}
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)

    if _in_main_thread():
        for number in _ENDING:
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = handler
                signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if came else handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that would raise an exception wait for the end of the block.

    For steps of which half would be worse than none: of an optimiser, or between a temporary file
    and the note that it is there.
    """
    held: dict[signal.Signals, Any] = {}
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    if _in_main_thread():
        for number in _ENDING:
            if callable(handler := signal.getsignal(number)):
                held[number] = handler
                signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
