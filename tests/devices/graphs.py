"""CUDA graphs on the emulated device: what is captured, and what a replay does.

A capture records operations, those of a backward pass among them, and leaves all values as they
were. A replay repeats the operations on the very tensors of the capture: numbers that the host gave
them then stay as they were, and what the work reads from elsewhere by then is not seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .emulator import plainly, world


class EmulatedGraph:
    """What ``torch.cuda.CUDAGraph`` is elsewhere.

    Attributes:
        launches: operations that were captured, with their arguments and results.
        replays: how often they were repeated.
    """

    def __init__(self) -> None:
        self.launches: list[tuple[Any, Any, Any, Any]] = []
        self.replays = 0

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        with plainly():
            for operation, args, kwargs, result in self.launches:
                again = operation(*args, **kwargs)
                if not operation.is_view:
                    for before, now in zip(_tensors(result), _tensors(again), strict=True):
                        if before is not now:
                            before.copy_(now)


class _Capture(TorchDispatchMode):
    def __init__(self, graph: EmulatedGraph) -> None:
        super().__init__()
        self._graph = graph
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for tensor in _tensors((args, kwargs)):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self.before:
                    self.before[storage.data_ptr()] = storage, storage.clone()
        result = func(*args, **kwargs)
        self._graph.launches.append((func, args, kwargs, result))
        return result


@contextmanager
def captured(graph: EmulatedGraph) -> Iterator[None]:
    """What ``torch.cuda.graph`` is elsewhere; a wait for the device is refused as it is there."""
    waits = world().waits()
    with _Capture(graph) as capture:
        yield
    for storage, value in capture.before.values():
        storage.copy_(value)
    if waited := world().waits() - waits:
        raise world().fault(f"operation not permitted when stream is capturing: {min(waited)}")


def of_graphs() -> Iterator[tuple[Any, str, Any]]:
    """What is replaced while CUDA is emulated."""
    stream = mock.MagicMock()
    for name, value in {
        "CUDAGraph": EmulatedGraph,
        "graph": captured,
        "Stream": lambda *_: stream,
        "current_stream": lambda *_: stream,
        "stream": lambda _: nullcontext(),
        "device": lambda _: nullcontext(),
    }.items():
        yield torch.cuda, name, value


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]
