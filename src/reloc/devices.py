"""Which device, precision and threads to compute in."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from reloc.errors import OptionError

# What allocators of PyTorch say on Linux, on Windows, and with MPS.
_OUT_OF_MEMORY = re.compile(
    "DefaultCPUAllocator: (can't allocate|not enough) memory|backend out of memory"
)


def pick_device(device: torch.device | str | None = None) -> torch.device:
    """The device asked for, or the best there is: CUDA, then MPS, then CPU.

    Raises:
        OptionError: the device does not exist on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise OptionError(f"no device is called {device!r}; use cpu, cuda or mps") from error
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(chosen.type, False):
        raise OptionError(f"this machine has no {chosen.type} device that PyTorch can use")
    return chosen


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the processor or of a device, did not suffice.

    PyTorch has an error of its own for CUDA only.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def inference_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it fast, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    return training_dtype(device)


def training_dtype(device: torch.device) -> torch.dtype:
    """What has the range of float32 and is multiplied fast: bfloat16, or float32 on processors
    that only emulate bfloat16, some thirty times slower."""
    if device.type != "cpu":
        return torch.bfloat16
    capability = torch.backends.cpu.get_cpu_capability()
    fast = capability == "AVX512" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def sharing_threads(jobs: int, device: torch.device) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Threads for jobs that PyTorch computes side by side, and their number.

    On a CPU they share the threads that PyTorch has; any other device takes one job at a time.
    """
    cores = torch.get_num_threads()
    workers = max(1, min(jobs, cores)) if device.type == "cpu" else 1

    def take_share() -> None:
        torch.set_num_threads(max(1, cores // workers))

    try:
        with ThreadPoolExecutor(workers, initializer=take_share) as pool:
            yield pool, workers
    finally:
        torch.set_num_threads(cores)
