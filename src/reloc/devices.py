"""Which device, precision and threads to compute in, and how devices differ."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from reloc.errors import OptionError

# What allocators of PyTorch say on Linux, on Windows, and with MPS; and what CUDA says itself.
_OUT_OF_MEMORY = re.compile(
    "DefaultCPUAllocator: (can't allocate|not enough) memory|backend out of memory"
    "|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
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
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    count = counts.get(chosen.type, 0)
    if not count:
        raise OptionError(f"this machine has no {chosen.type} device that PyTorch can use")
    if (chosen.index or 0) >= count:
        raise OptionError(
            f"this machine has no device {chosen}; the last is {chosen.type}:{count - 1}"
        )
    return chosen


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the processor or of a device, did not suffice.

    PyTorch has an error of its own only where its allocator for CUDA finds none.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def free_memory(device: torch.device) -> int | None:
    """Bytes that a device has left for tensors; None for the processor, which may swap."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        # PyTorch keeps what it has freed, for what comes next.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return None


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device, where the host waits only if it has to.

    CUDA has read memory that may be freed by the time that the call returns. MPS reads it later,
    and silently takes what is there by then: it has to be waited for.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def float64_device(device: torch.device) -> torch.device:
    """Where to compute in float64 what is on a device: there, or on the host as MPS has none."""
    return torch.device("cpu") if device.type == "mps" else device


def synchronize(device: torch.device) -> None:
    """Waits until a device has done all that it was asked to, so that times are of the work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def inference_dtype(device: torch.device) -> torch.dtype:
    """Half precision on a GPU; on a processor bfloat16 where that is multiplied fast, else float32.

    Every GPU multiplies float16 fast, and by 1 - cosine of their worst cell features of the shipped
    backbone are some forty times nearer to those of float32 than with bfloat16.
    """
    return torch.float16 if device.type in ("cuda", "mps") else training_dtype(device)


def training_dtype(device: torch.device) -> torch.dtype:
    """What has the range of float32 and is multiplied fast: bfloat16 or float32.

    Float32 on processors that only emulate bfloat16, some thirty times slower, on GPUs before
    NVIDIA's Ampere, which do so too, and with MPS, which has no bfloat16 everywhere.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    if device.type != "cpu":
        return torch.float32
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
