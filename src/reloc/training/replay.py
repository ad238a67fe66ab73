"""Steps of a training as CUDA graphs: captured once, then launched as one."""

import warnings
from collections.abc import Callable

import torch

from reloc.devices import is_out_of_memory

# Libraries take their workspaces, and autotune, in the first runs.
WARMUP = 3


class Replayed:
    """Work that is the same whenever it is called: on a CUDA device a graph of it is replayed.

    A call then costs the host one launch instead of one for each operation. All that differs from
    call to call has to be in tensors that stay where they are, which the work reads and writes in
    place; it must not wait for the device. Elsewhere, and where it cannot be captured, it is called
    as it is.

    Args:
        work: what is to be done.
        device: where.
    """

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self._work = work
        self._calls_before = WARMUP if device.type == "cuda" else None
        self._device = device
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Does the work once."""
        if self._graph is not None:
            self._graph.replay()
        elif self._calls_before is None:
            self._work()
        elif self._calls_before > 0:
            self._calls_before -= 1
            self._beside()
        else:
            self._capture()
            self()

    def _beside(self) -> None:
        """Does the work on a stream of its own, as before a capture it has to be done."""
        current = torch.cuda.current_stream(self._device)
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            self._work()
        current.wait_stream(stream)

    def _capture(self) -> None:
        """Records the work without doing it."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(self._device), torch.cuda.graph(graph):
                self._work()
            self._graph = graph
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            warnings.warn(f"steps are not captured ({error}); they go on one by one", stacklevel=2)
            self._calls_before = None
