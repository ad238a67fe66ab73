"""An emulated accelerator: real arithmetic on the processor, under the rules of CUDA or MPS.

Tensors that are sent to the device are ordinary tensors of a subclass that says it is on ``cuda:0``
or ``mps:0``. It refuses what the real device refuses: ``numpy()``, tensors of the host beside it,
generators of another device, and on MPS float64, bfloat16 (which macOS 13 lacks) and operators that
have no kernel. What makes the host wait for the device is noted with the line that asked for it.

What it cannot tell: speed, memory, rounding and the order of sums of the real device, what goes on
within a backward pass, whether CUDA waits before it reads memory that is not pinned, and operators
that a version of PyTorch lacks without a rule here saying so.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

import reloc

Kind = Literal["cuda", "mps"]
HOST = torch.device("cpu")
PACKAGE = str(Path(reloc.__file__).parent)
TESTS = str(Path(__file__).parents[1])
# Within it the subclass is nothing special.
plainly = torch._C.DisableTorchFunctionSubclass


class DeviceFault(RuntimeError):
    """What the real device would refuse, or do wrongly without a word."""


class World:
    """The device that is emulated, and what was noted of its use.

    Attributes:
        device: with its number.
        notes: how often what was noted at which line, as ``(what, line)``.
        refused: the same for what was refused, by what was asked.
    """

    def __init__(self, kind: Kind) -> None:
        self.device = torch.device(kind, 0)
        self.notes: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def is_mps(self) -> bool:
        return self.device.type == "mps"

    def has(self, device: torch.device | str | int | None) -> bool:
        """Whether a device is the emulated one."""
        return device is not None and torch.device(device).type == self.device.type

    def note(self, what: str) -> None:
        """Counts something at the line that asked for it."""
        with self._lock:
            self.notes[what, asking_line()] += 1

    def fault(self, what: str) -> DeviceFault:
        """The error to raise for what is refused, with the line that asked for it."""
        line = asking_line()
        with self._lock:
            self.refused[what, line] += 1
        return DeviceFault(f"{what} [{line}]")

    def waits(self) -> Counter[str]:
        """How often the host waited for the device, by line and reason."""
        found: Counter[str] = Counter()
        for (what, line), count in self.notes.items():
            if what.startswith("wait: "):
                found[f"{line}: {what.removeprefix('wait: ')}"] += count
        return found


# The one that is emulated at the moment, in all threads.
_world: World | None = None


def set_world(world: World | None) -> None:
    """Begins or ends an emulation; ``emulated`` in ``emulation.py`` does all that belongs to it."""
    global _world
    _world = world


def world() -> World:
    """The device that is emulated."""
    assert _world is not None
    return _world


def asking_line() -> str:
    """File and line of the package, or of a test, that is about to do something on the device."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE):
            return f"{Path(name).relative_to(PACKAGE).as_posix()}:{frame.f_lineno}"
        if name.startswith(TESTS) and Path(name).name.startswith("test_"):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


class DeviceTensor(torch.Tensor):
    """A tensor of the processor that is said to be on the emulated device."""

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if _world is None:  # a tensor that outlived its world
            with plainly():
                return func(*args, **(kwargs or {}))
        # Not above: rules are written in terms of what is here.
        from .rules import applied

        return applied(_world, func, args, dict(kwargs or {}))


def on_device(value: object) -> bool:
    return type(value) is DeviceTensor


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors among values and in their lists, tuples and dictionaries."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)
        elif isinstance(value, dict):
            yield from tensors_in(value.values())


def brought(value: Any, given: Iterable[Tensor] = ()) -> Any:
    """What an operation gave: new tensors are on the device; those given stay where they are."""
    if isinstance(value, Tensor):
        if type(value) is torch.Tensor and not any(value is known for known in given):
            check_dtype(value.dtype)
            value.__class__ = DeviceTensor
        return value
    if isinstance(value, list | tuple):
        parts = [brought(part, given) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def plain(tensor: Tensor) -> Tensor:
    """The same values on the host, in the same graph."""
    with plainly():
        return tensor.as_subclass(torch.Tensor)


def check_dtype(dtype: torch.dtype | None) -> None:
    """Raises if the device has no numbers of a type."""
    if _world is None or not _world.is_mps:
        return
    if dtype in (torch.float64, torch.complex128, torch.bfloat16):
        raise _world.fault(f"the MPS framework doesn't support {str(dtype).removeprefix('torch.')}")


def mixed(name: str) -> DeviceFault:
    """The error for tensors of several devices in one operation."""
    return world().fault(
        "Expected all tensors to be on the same device, but found at least two devices, "
        f"{world().device} and cpu! (when calling {name})"
    )


def check_generator(
    generator: torch.Generator | None, device: torch.device | str | None, name: str
) -> None:
    """Raises if a generator is not of the device that numbers are drawn on."""
    if generator is None:
        return
    wanted = torch.device(device or HOST).type
    if generator.device.type != wanted:
        raise world().fault(
            f"Expected a '{wanted}' device type for generator but found '{generator.device.type}' "
            f"(when calling {name})"
        )
