"""Backbone weights in 8 bits: half the bytes of fp16, for one that comes beside another."""

from collections.abc import Mapping

import torch
from torch import Tensor

from reloc.tensor_files import Layout

# What is added to the name of rounded weights for that of their scales.
SCALES = ".scales"


def rounded_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights (O, ...) as int8 with a scale (O,) in fp16 for each output; the rest as it is."""
    rounded = {}
    for name, tensor in state.items():
        if tensor.ndim < 2:
            rounded[name] = tensor
            continue
        rows = tensor.float().flatten(1)
        scales = (rows.abs().amax(dim=1) / 127).clamp(min=1e-7).half()
        codes = (rows / scales.float()[:, None]).round().clamp(-127, 127)
        rounded[name] = codes.to(torch.int8).reshape(tensor.shape)
        rounded[name + SCALES] = scales
    return rounded


def rounded_layouts(
    shapes: Mapping[str, tuple[int, ...]], found: Mapping[str, Layout]
) -> dict[str, Layout]:
    """How a file has to hold weights of these shapes: in fp16, or rounded where it says so.

    Args:
        shapes: of the weights, by name.
        found: what the file holds.
    """
    layouts = {}
    for name, shape in shapes.items():
        rounded = len(shape) > 1 and name + SCALES in found
        layouts[name] = Layout("I8" if rounded else "F16", shape)
        if rounded:
            layouts[name + SCALES] = Layout("F16", shape[:1])
    return layouts


def unrounded_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What ``rounded_state`` was given, nearly, in fp16; anything else comes back as it is.

    Raises:
        ValueError: scales that do not fit.
    """
    restored = {}
    for name, tensor in state.items():
        if name.endswith(SCALES):
            continue
        if tensor.dtype == torch.int8:
            scales = state.get(name + SCALES)
            if scales is None or scales.shape != tensor.shape[:1]:
                raise ValueError(f"{name} has no scales")
            tensor = (tensor.flatten(1) * scales.float()[:, None]).reshape(tensor.shape).half()
        restored[name] = tensor
    return restored
