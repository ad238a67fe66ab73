"""Landmarks in the file of a map: 50 bytes each, or less in a map that was compressed."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.images.sift import LENGTH
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.landmarks import MAX_LANDMARKS, Landmarks
from reloc.landmarks.vantages import MOST_GROUPS, Vantages
from reloc.maps.packing import BITS, packed_integers, unpacked_integers
from reloc.tensor_files import Layout

Array = NDArray[np.float64]

POINTS, VIEWED, MEASURES = "landmarks.points", "landmarks.viewed", "landmarks.measures"
DESCRIPTORS, MEAN = "landmarks.descriptors", "landmarks.mean"
BASIS, STEP, FACTORS = "landmarks.basis", "landmarks.step", "landmarks.factors"
VANTAGES, SHOWN, DEPTH = "landmarks.vantages", "landmarks.shown", "landmarks.depth"
# Largest number of half precision; sizes are in units of the scale of the map.
_MOST = 60_000.0


def landmark_tensors(landmarks: Landmarks, *, origin: Array, scale: float) -> dict[str, Tensor]:
    """Landmarks as tensors by name.

    Args:
        landmarks: of the map.
        origin: (3,) of the map, around which single precision is fine enough.
        scale: of the map, the unit of lengths in the file.
    """
    measures = np.stack(
        [landmarks.deviations / scale, landmarks.spreads, landmarks.sizes / scale], axis=1
    )
    integers, factors = _integers(landmarks)
    arrays: dict[str, NDArray[np.generic]] = {
        POINTS: ((landmarks.points - origin) / scale).astype(np.float32),
        VIEWED: np.rint(127 * landmarks.directions).astype(np.int8),
        MEASURES: np.clip(measures, 0, _MOST).astype(np.float16),
        FACTORS: factors,
        MEAN: landmarks.basis.mean.astype(np.float16),
        BASIS: landmarks.basis.directions.astype(np.float16),
        STEP: np.array([landmarks.basis.step], np.float32),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
    tensors[DESCRIPTORS] = packed_integers(integers, bits=landmarks.bits)
    vantages = landmarks.vantages
    if vantages is not None:
        own = np.c_[(vantages.centers - origin) / scale, vantages.axes]
        tensors[VANTAGES] = torch.from_numpy(own.astype(np.float32))
        tensors[SHOWN] = torch.from_numpy(np.packbits(vantages.seen, axis=1))
        tensors[DEPTH] = torch.tensor([vantages.depth / scale], dtype=torch.float32)
    return tensors


def _integers(landmarks: Landmarks) -> tuple[Tensor, NDArray[np.uint8]]:
    """Descriptors (N, D) in ``landmarks.bits``, and what each direction (D,) is a multiple of.

    Directions differ in width. What was rounded before stays as it is.
    """
    most = 2 ** (landmarks.bits - 1) - 1
    codes = landmarks.descriptors.astype(np.int16)
    widest = np.abs(codes).max(axis=0)
    common = np.maximum(1, np.gcd.reduce(codes, axis=0))
    factors = np.where(widest // common > most, widest // most, common)
    integers = np.clip(np.rint(codes / factors), -most, most)
    return torch.from_numpy(integers), factors.astype(np.uint8)


def landmark_layouts(found: Mapping[str, Layout]) -> dict[str, Layout]:
    """The tensors of landmarks that a file has to hold, if it holds any.

    Args:
        found: what it holds, not to be trusted.

    Raises:
        ValueError: too many landmarks, or descriptors of an impossible length.
    """
    if POINTS not in found:
        return {}
    shape = found[POINTS].shape
    if len(shape) != 2 or not 0 < shape[0] <= MAX_LANDMARKS:
        raise ValueError("an impossible number of landmarks")
    count = shape[0]
    codes, basis = (found[n].shape if n in found else () for n in (DESCRIPTORS, BASIS))
    length, bits = _length_and_bits(codes, basis)
    kept = {
        DESCRIPTORS: Layout("U8", (count, length * bits // 8)),
        FACTORS: Layout("U8", (length,)),
    }
    if FACTORS not in found:  # as the first maps with landmarks had them
        kept = {DESCRIPTORS: Layout("I8", (count, length))}
    return {
        POINTS: Layout("F32", (count, 3)),
        VIEWED: Layout("I8", (count, 3)),
        MEASURES: Layout("F16", (count, 3)),
        **kept,
        MEAN: Layout("F16", (LENGTH,)),
        BASIS: Layout("F16", (LENGTH, length)),
        STEP: Layout("F32", (1,)),
        **_vantage_layouts(found, count),
    }


def _vantage_layouts(found: Mapping[str, Layout], count: int) -> dict[str, Layout]:
    if VANTAGES not in found:
        return {}  # as in the first maps with landmarks
    shape = found[VANTAGES].shape
    if len(shape) != 2 or not 0 < shape[0] <= MOST_GROUPS:
        raise ValueError("an impossible number of vantages")
    return {
        VANTAGES: Layout("F32", (shape[0], 6)),
        SHOWN: Layout("U8", (count, -(-shape[0] // 8))),
        DEPTH: Layout("F32", (1,)),
    }


def _length_and_bits(codes: tuple[int, ...], basis: tuple[int, ...]) -> tuple[int, int]:
    """Numbers of a descriptor, which come in eights, and bits of each, by the tensors' shapes."""
    if len(codes) != 2 or len(basis) != 2 or not 0 < basis[1] <= LENGTH or basis[1] % 8:
        raise ValueError("descriptors of an impossible length")
    bits, rest = divmod(8 * codes[1], basis[1])
    if rest or bits not in BITS:
        raise ValueError("descriptors of an impossible length")
    return basis[1], bits


def landmarks_of(
    tensors: Mapping[str, Tensor], *, origin: Array, scale: float, most: float
) -> Landmarks | None:
    """Landmarks of the tensors of a file, None if it has none.

    Args:
        tensors: all finite, of the layouts that were expected.
        origin: (3,) of the map.
        scale: of the map.
        most: scene units from the origin that a point may be, at most.

    Raises:
        ValueError: values that no landmarks have.
    """
    if POINTS not in tensors:
        return None
    points = scale * tensors[POINTS].double().numpy()
    directions = tensors[VIEWED].float().numpy()
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    deviations, spreads, sizes = tensors[MEASURES].float().numpy().T
    step = float(tensors[STEP][0])
    length, bits = _length_and_bits(tuple(tensors[DESCRIPTORS].shape), tuple(tensors[BASIS].shape))
    if FACTORS in tensors:
        integers = unpacked_integers(tensors[DESCRIPTORS], columns=length, bits=bits).numpy()
        factors = tensors[FACTORS].numpy().astype(np.int16)
    else:
        integers = tensors[DESCRIPTORS].numpy().astype(np.int16)
        factors = np.ones(length, np.int16)
    if np.abs(points).max() > most:
        raise ValueError("a landmark beyond all measure")
    if lengths.min() < 64 or deviations.min() < 0 or sizes.min() < 0 or not 0 < step < 1:
        raise ValueError("landmarks of impossible size")
    if not 0 < factors.min() <= factors.max() < 128:
        raise ValueError("descriptors of impossible size")
    if spreads.min() < 0 or spreads.max() > 1.001 * math.pi:
        raise ValueError("landmarks seen from impossible angles")
    return Landmarks(
        points=points + origin,
        deviations=np.float32(scale) * deviations,
        directions=directions / lengths,
        spreads=spreads,
        sizes=np.float32(scale) * sizes,
        descriptors=np.clip(integers * factors, -127, 127).astype(np.int8),
        basis=DescriptorBasis(tensors[MEAN].float().numpy(), tensors[BASIS].float().numpy(), step),
        bits=bits,
        vantages=_vantages(tensors, origin=origin, scale=scale, most=most),
    )


def _vantages(
    tensors: Mapping[str, Tensor], *, origin: Array, scale: float, most: float
) -> Vantages | None:
    if VANTAGES not in tensors:
        return None
    own = tensors[VANTAGES].double().numpy()
    centers, axes, depth = scale * own[:, :3], own[:, 3:], scale * float(tensors[DEPTH][0])
    if np.abs(centers).max() > most or np.linalg.norm(axes, axis=1).max() > 1.001:
        raise ValueError("a vantage beyond all measure")
    if not 0 < depth < most:
        raise ValueError("vantages of impossible size")
    seen = np.unpackbits(tensors[SHOWN].numpy(), axis=1, count=len(own)).astype(bool)
    return Vantages(centers + origin, axes.astype(np.float32), depth, seen)
