"""Stored states, held against the parts that are to go on from them.

PyTorch takes much that fails, or goes quietly wrong, only in a later step. Of optimisers and
schedules it is given no more than what changes in a training; all else is as they were made.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reloc.untrusted import integer, items, number, record

MAX_STEPS = 2**40
MAX_SECONDS = 1e9
_MAX_RATE = 1e6


class UnfitState(Exception):
    """A state that is none of the part that is to go on from it."""


@contextmanager
def fitting() -> Iterator[None]:
    """Whatever the block raises, which restores states and does nothing else, is their fault.

    Raises:
        UnfitState: instead of anything else.
    """
    try:
        yield
    except Exception as error:
        raise UnfitState(str(error)) from error


def restore(part: nn.Module | Optimizer | LRScheduler, state: Any) -> None:
    """Gives a network, an optimiser or a schedule its stored state.

    Raises:
        ValueError, KeyError, TypeError: it is none of such a part.
    """
    if isinstance(part, Optimizer):
        part.load_state_dict(_optimizer_state(part, state))
    elif isinstance(part, LRScheduler):
        part.load_state_dict(_schedule_state(part, state))
    else:
        fresh = part.state_dict()
        if state.keys() != fresh.keys():
            raise ValueError("other parameters")
        for name, tensor in fresh.items():
            like(state[name], tensor)
        part.load_state_dict(state)


def like(value: Any, tensor: Tensor) -> Tensor:
    """The value, a tensor of the shape and type of another; else ValueError."""
    return _tensor(value, shape=tensor.shape, dtype=tensor.dtype)


def stored_steps(value: Any) -> int:
    """The value, a number of steps; else ValueError."""
    return integer(value, "steps", most=MAX_STEPS)


def stored_seconds(state: Mapping[str, Any], budget: float | None) -> tuple[float, float | None]:
    """What a training had spent, and its budget in place of the given one, if it has any.

    Raises:
        ValueError, KeyError, TypeError: the state does not say so.
    """
    spent = number(state["spent"], "seconds", least=0, most=MAX_SECONDS)
    if budget is None and state["budget"] is None:
        return spent, None
    return spent, number(state["budget"], "budget", least=1e-3, most=MAX_SECONDS)


def _optimizer_state(optimizer: Optimizer, state: Any) -> dict[str, Any]:
    groups = optimizer.state_dict()["param_groups"]
    changed = [
        group | _changed(group, its)
        for group, its in zip(groups, state["param_groups"], strict=True)
    ]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    stored: dict[Any, Any] = record(state["state"], "state")
    memories = {
        integer(at, "parameter", most=len(parameters) - 1): _memory(memory, parameters[at])
        for at, memory in stored.items()
    }
    if len({frozenset(memory) for memory in memories.values()}) > 1:
        raise ValueError("parameters with other memories")
    return {"state": memories, "param_groups": changed}


def _changed(group: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What steps and schedules change of a group: learning rate, momentum, count."""
    changed: dict[str, Any] = {"lr": number(stored["lr"], "rate", least=0, most=_MAX_RATE)}
    if "betas" in group:
        first, second = stored["betas"]
        changed["betas"] = tuple(number(b, "beta", least=0, most=0.99999) for b in (first, second))
    if "steps" in group:
        changed["steps"] = stored_steps(stored["steps"])
    return changed


def _memory(memory: Any, parameter: Tensor) -> dict[str, Tensor]:
    """What an optimiser remembers of a parameter."""
    found = {}
    for name, value in record(memory, "state").items():
        if name == "step":
            found[name] = _tensor(value, shape=torch.Size(), dtype=torch.float32)
            number(value.item(), "steps", least=1, most=MAX_STEPS)
        else:
            # Its elements may overlap where the file says so.
            found[name] = like(value, parameter).contiguous()
    return found


def _schedule_state(schedule: LRScheduler, state: Any) -> dict[str, Any]:
    fresh = schedule.state_dict()
    most = fresh.get("total_steps", MAX_STEPS)
    rates = items(state["_last_lr"], "rates", most=len(fresh["base_lrs"]))
    return fresh | {
        "last_epoch": integer(state["last_epoch"], "steps", most=most),
        "_step_count": integer(state["_step_count"], "steps", most=most + 1),
        "_last_lr": [number(rate, "rate", least=0, most=_MAX_RATE) for rate in rates],
    }


def _tensor(value: Any, *, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    if not isinstance(value, Tensor) or value.layout != torch.strided:
        raise ValueError("no tensor")
    if value.shape != shape or value.dtype != dtype:
        raise ValueError("a tensor of another type or shape")
    return value
