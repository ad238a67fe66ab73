"""What operations do on the emulated device: what they refuse, and which make the host wait."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .emulator import (
    HOST,
    World,
    brought,
    check_dtype,
    check_generator,
    mixed,
    on_device,
    plain,
    plainly,
    tensors_in,
    world,
)

# Take tensors of several devices by design.
_CROSSING = {"copy_", "type_as", "load_state_dict", "_has_compatible_shallow_copy_type"}
# Elementwise operations take a number that is a tensor of the host; these do not.
_NO_HOST_SCALARS = {
    "stack", "cat", "concat", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm",
    "baddbmm", "linear", "gather", "scatter", "scatter_", "index_add", "index_add_",
    "index_select", "einsum", "embedding_bag", "grid_sample", "conv2d", "take_along_dim",
    "searchsorted", "dot", "mv", "cholesky_solve",
}  # fmt: skip
_READ_BY_HOST = {
    "item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__complex__", "is_nonzero",
    "equal", "allclose", "__contains__", "__repr__", "__format__",
}  # fmt: skip
# The size of what comes out depends on values.
_SIZED_BY_VALUES = {
    "nonzero", "masked_select", "unique", "bincount", "argwhere", "histc", "unique_consecutive",
}  # fmt: skip
# Made of numbers of the host, which are copied.
_MADE_OF_NUMBERS = {"new_tensor"}
# Not in all versions of PyTorch that the package takes.
_NOT_ON_MPS = {
    "linalg_eigh", "linalg_eigvalsh", "linalg_svd", "svd", "linalg_qr", "linalg_lstsq",
    "linalg_cholesky", "linalg_cholesky_ex", "cholesky",
}  # fmt: skip


def applied(
    here: World, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a function of PyTorch does with arguments of which some are on the device."""
    name = name_of(func)
    if name in _SPECIAL:
        return _SPECIAL[name](here, func, args, kwargs)
    if name in _READ_BY_HOST:
        here.note(f"wait: {name}")
        with plainly():
            return func(*args, **kwargs)
    given = list(tensors_in(args)) + list(tensors_in(kwargs.values()))
    _check(here, name, given, kwargs)
    _note_waits(here, name, given, args)
    to_host = kwargs.get("device") is not None and not here.has(kwargs["device"])
    if kwargs.get("device") is not None:
        kwargs["device"] = HOST
    with plainly():
        result = func(*args, **kwargs)
    return result if to_host else brought(result, given)


def name_of(func: Callable[..., Any]) -> str:
    """The name of a function; that of what a property is of goes before it."""
    name = getattr(func, "__name__", str(func))
    owner = getattr(func, "__self__", None)
    if name in ("__get__", "__set__", "__delete__") and owner is not None:
        return f"{owner.__name__}.{name}"
    return name


def _check(here: World, name: str, given: list[Tensor], kwargs: dict[str, Any]) -> None:
    hosts = [tensor for tensor in given if not on_device(tensor)]
    alone = name in _CROSSING or (
        name not in _NO_HOST_SCALARS and not any(tensor.dim() for tensor in hosts)
    )
    if hosts and not alone:
        raise mixed(name)
    check_generator(kwargs.get("generator"), here.device, name)
    check_dtype(kwargs.get("dtype"))
    if here.is_mps and name in _NOT_ON_MPS:
        raise here.fault(f"the operator {name} is not implemented for the MPS device")
    if here.is_mps and kwargs.get("padding_mode") == "border":
        raise here.fault("MPS: Unsupported Border padding mode")


def _note_waits(here: World, name: str, given: list[Tensor], args: tuple[Any, ...]) -> None:
    if name == "copy_" and not all(map(on_device, given)):
        here.note("wait: copy_ " + ("from the host" if on_device(args[0]) else "to the host"))
    sized = name in _SIZED_BY_VALUES or (name == "where" and len(args) == 1)
    if sized or (name == "repeat_interleave" and len(given) > 1):
        here.note(f"wait: {name}")
    if name in _MADE_OF_NUMBERS:
        here.note(f"wait: copy to the device ({name})")


def _device(here: World, func: Any, args: Any, kwargs: Any) -> torch.device:
    return here.device


def _is_of_type(here: World, func: Any, args: Any, kwargs: Any) -> bool:
    return name_of(func).startswith(f"is_{here.device.type}")


def _no_array(here: World, func: Any, args: Any, kwargs: Any) -> None:
    raise here.fault(
        f"can't convert {here.device} device type tensor to numpy. Use Tensor.cpu() to copy the "
        "tensor to host memory first."
    )


def _iterated(here: World, func: Any, args: Any, kwargs: Any) -> Any:
    return iter(args[0].unbind(0))


def _deep_copied(here: World, func: Any, args: Any, kwargs: Any) -> Tensor:
    tensor, memo = args
    if id(tensor) not in memo:
        with torch.no_grad():
            made = tensor.detach().clone()
        made.requires_grad_(tensor.requires_grad)
        if getattr(tensor, "_is_param", False):
            made._is_param = True
        memo[id(tensor)] = made
    return memo[id(tensor)]


def _pickled(here: World, func: Any, args: Any, kwargs: Any) -> Any:
    here.note("wait: pickled")
    return plain(args[0].detach()).clone().__reduce_ex__(args[1])


def _hooked(here: World, func: Any, args: Any, kwargs: Any) -> Any:
    tensor, hook = args

    def under_rules(gradient: Tensor) -> Any:
        # A backward pass is one operation, whose inside is left alone; a hook is the package's own.
        with torch._C._EnableTorchFunction():
            return hook(brought(gradient))

    with plainly():
        return func(tensor, under_rules)


def _picked(here: World, func: Any, args: Any, kwargs: Any) -> Any:
    tensor, index = args
    for part in _parts(index):
        if on_device(part) and not on_device(tensor):
            raise here.fault("indices should be on the same device as the indexed tensor (cpu)")
        if isinstance(part, list):
            here.note("wait: index of numbers")
        elif isinstance(part, Tensor):
            if not on_device(part) and part.dim():
                here.note("wait: index from the host")
            elif _is_mask(part):
                here.note("wait: mask as index")
            elif part.dim() == 0:
                here.note("wait: number as index")
    with plainly():
        result = func(tensor, index)
    return brought(result) if on_device(tensor) else result


def _assigned(here: World, func: Any, args: Any, kwargs: Any) -> Any:
    tensor, index, value = args
    indices = [part for part in _parts(index) if isinstance(part, Tensor | list)]
    if any(map(on_device, indices)) and not on_device(tensor):
        raise here.fault("indices should be on the same device as the indexed tensor (cpu)")
    if isinstance(value, Tensor) and on_device(value) != on_device(tensor):
        if indices and value.dim():
            raise mixed("index_put_")
        here.note("wait: copy by assignment")
    for part in indices:
        if on_device(tensor) and not on_device(part):
            here.note("wait: index from the host")
        elif _is_mask(part) and isinstance(value, Tensor) and value.dim():
            here.note("wait: mask as index")
    with plainly():
        return func(tensor, index, value)


def _is_mask(part: Any) -> bool:
    return isinstance(part, Tensor) and part.dtype == torch.bool


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


_SPECIAL: dict[str, Callable[[World, Any, Any, Any], Any]] = {
    "device.__get__": _device,
    "is_cuda.__get__": _is_of_type,
    "is_mps.__get__": _is_of_type,
    "is_cpu.__get__": _is_of_type,
    "numpy": _no_array,
    "__array__": _no_array,
    "__iter__": _iterated,
    "__deepcopy__": _deep_copied,
    "__reduce_ex__": _pickled,
    "register_hook": _hooked,
    "__getitem__": _picked,
    "__setitem__": _assigned,
}


def moved(real: Callable[..., Tensor], tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``Tensor.to``, which is ``real``."""
    here = world()
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    other, flags = kwargs.pop("other", None), []
    for arg in args:
        if isinstance(arg, torch.dtype):
            dtype = arg
        elif isinstance(arg, Tensor):
            other = arg
        elif isinstance(arg, str | torch.device):
            device = arg
        elif isinstance(arg, bool):
            flags.append(arg)
    kwargs.update(zip(("non_blocking", "copy"), flags, strict=False))
    if other is not None:
        device, dtype = other.device, other.dtype
    there = on_device(tensor) if device is None else here.has(device)
    if there:
        check_dtype(dtype or tensor.dtype)
    if there == on_device(tensor):
        with plainly():
            result = real(tensor, dtype=dtype, **kwargs)
        return brought(result, [tensor]) if there else result
    _check_crossing(here, there, non_blocking=kwargs.pop("non_blocking", False))
    kwargs["copy"] = True
    with plainly():
        result = real(plain(tensor), dtype=dtype, **kwargs)
    return brought(result) if there else result


def _check_crossing(here: World, there: bool, *, non_blocking: bool) -> None:
    """Notes that a copy makes the host wait; refuses one that nobody awaits but has to."""
    direction = "to the device" if there else "to the host"
    if not non_blocking:
        here.note(f"wait: copy {direction}")
    elif here.is_mps:
        # github.com/pytorch/pytorch/issues/189690: the copy reads memory that may be freed by then.
        raise here.fault(f"a non_blocking copy {direction} may hold anything")
    elif not there:
        raise here.fault("a non_blocking copy to the host may be read before it is made")
