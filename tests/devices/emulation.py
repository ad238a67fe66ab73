"""Beginning and ending an emulation: what PyTorch makes for the device, and says of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from .emulator import (
    HOST,
    Kind,
    World,
    brought,
    check_dtype,
    check_generator,
    on_device,
    plainly,
    set_world,
    world,
)
from .graphs import of_graphs
from .rules import moved

_FACTORIES = (
    "zeros", "ones", "empty", "full", "tensor", "as_tensor", "arange", "linspace", "eye", "rand",
    "randn", "randint", "randperm", "scalar_tensor", "logspace", "empty_strided", "asarray",
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
)  # fmt: skip
_OF_DATA = {"tensor", "as_tensor", "asarray"}
FREE_BYTES = 8 * 2**30


@contextmanager
def emulated(kind: Kind) -> Iterator[World]:
    """Whatever PyTorch is to make on devices of a kind is emulated, in all threads.

    The device is one without native bfloat16 only in that MPS refuses it.
    """
    here = World(kind)
    # Weights are replaced where a network moves, since an emulated tensor is another one.
    overwriting = torch.__future__.get_overwrite_module_params_on_conversion()
    with ExitStack() as undo:
        for owner, name, value in (*_of_torch(), *(_of_cuda() if kind == "cuda" else _of_mps())):
            undo.enter_context(mock.patch.object(owner, name, value))
        undo.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwriting)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        undo.callback(set_world, None)
        set_world(here)
        yield here


def _of_torch() -> Iterator[tuple[Any, str, Any]]:
    to = torch.Tensor.to
    yield torch.Tensor, "to", lambda self, *args, **kwargs: moved(to, self, *args, **kwargs)
    yield torch.Tensor, "cpu", lambda self, *_, **__: moved(to, self, HOST)
    yield torch.Tensor, "cuda", lambda self, *_, **__: moved(to, self, "cuda")
    for name in _FACTORIES:
        yield torch, name, partial(_made, name, getattr(torch, name))
    yield torch, "Generator", EmulatedGenerator
    yield torch, "autocast", EmulatedAutocast
    yield (
        torch._C,
        "_group_tensors_by_device_and_dtype",
        partial(_grouped, torch._C._group_tensors_by_device_and_dtype),
    )


def _of_cuda() -> Iterator[tuple[Any, str, Any]]:
    for name, value in {
        "is_available": lambda: True,
        "is_bf16_supported": lambda including_emulation=True: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_current_stream_capturing": lambda: False,
        "synchronize": lambda *_: world().note("wait: synchronize"),
        "mem_get_info": lambda *_: (FREE_BYTES, FREE_BYTES),
        "manual_seed_all": lambda seed: world().note("reseeds the device"),
        "manual_seed": lambda seed: world().note("reseeds the device"),
    }.items():
        yield torch.cuda, name, value
    yield from of_graphs()


def _of_mps() -> Iterator[tuple[Any, str, Any]]:
    yield torch.backends.mps, "is_available", lambda: True
    yield torch.mps, "manual_seed", lambda seed: world().note("reseeds the device")
    yield torch.mps, "synchronize", lambda: world().note("wait: synchronize")
    yield torch.mps, "recommended_max_memory", lambda: FREE_BYTES
    yield torch.mps, "driver_allocated_memory", lambda: 0
    # As of the host: PyTorch asks for what only a build with MPS has.
    yield torch.mps, "_is_in_bad_fork", lambda: False


def _made(name: str, real: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """What a factory of PyTorch makes."""
    here, device = world(), kwargs.get("device")
    data = args[0] if args else None
    if device is None and on_device(data) and name in ("as_tensor", "asarray"):
        device = here.device
    if "generator" in kwargs:
        check_generator(kwargs["generator"], device, name)
    if not here.has(device):
        if on_device(data) and name in ("as_tensor", "asarray"):
            return data.to(device or here.device, kwargs.get("dtype"))
        return real(*args, **kwargs)
    if name in ("as_tensor", "asarray") and on_device(data):
        return data.to(kwargs.get("dtype") or data.dtype)
    check_dtype(kwargs.get("dtype"))
    if name in _OF_DATA:
        here.note(f"wait: copy to the device ({name})")
    kwargs["device"] = HOST
    wants_gradient = kwargs.pop("requires_grad", False)
    with plainly():
        made = real(*args, **kwargs)
    # What may share the memory of its data on the host is a copy on a device.
    made = brought(made.clone() if name in ("as_tensor", "asarray") else made)
    return made.requires_grad_() if wants_gradient else made


def _grouped(real: Callable[..., Any], tensors: Any, with_indices: bool = False) -> Any:
    """Tensors by device and type, for optimisers and norms: by the device that they say."""
    first = next((t for part in tensors for t in part if t is not None), None)
    groups = real(tensors, with_indices)
    if not on_device(first):
        return groups
    return {(world().device, dtype): group for (_, dtype), group in groups.items()}


class EmulatedGenerator(torch._C.Generator):
    """A generator of the host that is said to be of a device."""

    said: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> "EmulatedGenerator":
        made: EmulatedGenerator = super().__new__(cls, "cpu")  # type: ignore[call-arg]
        made.said = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.said


class EmulatedAutocast(torch.amp.autocast_mode.autocast):
    """Autocast of the device, by the rules of the host, which differ in little."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        if world().has(device_type):
            dtype = kwargs.get("dtype", args[0] if args else None)
            if kwargs.get("enabled", True):
                check_dtype(dtype)
            device_type = "cpu"
        super().__init__(device_type, *args, **kwargs)
