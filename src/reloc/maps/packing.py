"""Weights in a few bits each: integers, with one scale for every ``GROUP`` columns of a row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Columns that share a scale: their scales add an eighth of a bit to each weight.
GROUP = 128
BITS = (3, 4, 5, 6, 8)


@dataclass(frozen=True)
class PackedMatrix:
    """A matrix (R, C) in a file.

    Attributes:
        codes: (R, ceil(C * bits / 8)) uint8, the integers of a row one after the other, the most
            significant bit first, each plus 2^(bits - 1).
        scales: (R, ceil(C / GROUP)) float16.
    """

    codes: Tensor
    scales: Tensor


@dataclass(frozen=True)
class PackedWeights:
    """The hidden layers of a head as a file keeps them; what is not there is kept in fp16.

    Attributes:
        bits: for each weight.
        matrices: by the names of the head's parameters, which have these very values.
    """

    bits: int
    matrices: Mapping[str, PackedMatrix]


def packable(weights: Tensor) -> bool:
    """Whether a parameter is a matrix large enough to be worth packing."""
    return weights.ndim == 2 and min(weights.shape) >= 16


def packed_shapes(shape: tuple[int, ...], *, bits: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Shapes of the codes and the scales of a matrix; ValueError if the shape is of none."""
    if len(shape) != 2 or bits not in BITS:
        raise ValueError("impossible packing")
    rows, columns = shape
    return (rows, -(-columns * bits // 8)), (rows, -(-columns // GROUP))


def group_scales(group: Tensor, *, bits: int) -> Tensor:
    """Scales (R, 1) of a group of columns (R, c) that lose least when rounding to the nearest.

    The largest weights are rare, so that it pays to clip them a little.
    """
    most = 2 ** (bits - 1) - 1
    full = group.abs().amax(dim=1, keepdim=True).clamp(min=1e-6) / most
    best, least = full, torch.full_like(full, torch.inf)
    for share in np.linspace(0.5, 1.0, 16):
        scales = (full * share).half().to(group.dtype).clamp(min=1e-7)
        loss = (rounded(group, scales, bits=bits) * scales - group).square().sum(1, keepdim=True)
        best, least = torch.where(loss < least, scales, best), torch.minimum(loss, least)
    return best


def rounded(weights: Tensor, scales: Tensor, *, bits: int) -> Tensor:
    """The integers, as floats, nearest to ``weights / scales``."""
    most = 2 ** (bits - 1) - 1
    return (weights / scales).round().clamp(-most - 1, most)


def packed_integers(integers: Tensor, *, bits: int) -> Tensor:
    """Integers (R, C) of so many bits as bytes (R, ceil(C * bits / 8)) uint8, see PackedMatrix."""
    codes = (integers + 2 ** (bits - 1)).to(torch.uint8).numpy()
    fields = np.unpackbits(codes[:, :, None], axis=2)[:, :, 8 - bits :]
    return torch.from_numpy(np.packbits(fields.reshape(len(codes), -1), axis=1))


def unpacked_integers(codes: Tensor, *, columns: int, bits: int) -> Tensor:
    """The integers (R, columns) int16 that ``packed_integers`` packed."""
    fields = np.unpackbits(codes.numpy(), axis=1)[:, : columns * bits]
    fields = fields.reshape(len(codes), columns, bits)
    values = fields @ (1 << np.arange(bits - 1, -1, -1)).astype(np.int16)
    return torch.from_numpy(values) - 2 ** (bits - 1)


def packed_matrix(integers: Tensor, scales: Tensor, *, bits: int) -> PackedMatrix:
    """Packs integers (R, C) and their scales (R, ceil(C / GROUP))."""
    return PackedMatrix(packed_integers(integers, bits=bits), scales.half())


def unpacked_matrix(packed: PackedMatrix, *, columns: int, bits: int) -> Tensor:
    """The matrix (R, columns) float32.

    Raises:
        ValueError: the parts do not fit together.
    """
    rows = len(packed.codes)
    codes, scales = packed_shapes((rows, columns), bits=bits)
    if packed.codes.dtype != torch.uint8 or packed.codes.shape != codes:
        raise ValueError("impossible packing")
    if packed.scales.shape != scales:
        raise ValueError("impossible packing")
    integers = unpacked_integers(packed.codes, columns=columns, bits=bits).float()
    return integers * packed.scales.float().repeat_interleave(GROUP, dim=1)[:, :columns]
