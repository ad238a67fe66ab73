"""The tensors of a map file: which there have to be, told from the header before any is read."""

import math
from collections.abc import Mapping
from typing import TypeVar

import torch

from reloc.backbone.descriptor import descriptor_length
from reloc.backbone.weights import backbone_layouts, known_channels
from reloc.heads import Head, build_head
from reloc.maps.contents import MAX_PREVIEW, MAX_VIEWS
from reloc.maps.head_limits import is_too_large
from reloc.maps.header import HeadSpec, MapHeader
from reloc.maps.landmark_tensors import landmark_layouts
from reloc.maps.packing import packed_shapes
from reloc.tensor_files import Layout

Layouts = Mapping[str, Layout]
Item = TypeVar("Item")

# What the name of a compressed matrix becomes for its scales.
SCALES = ".scales"
BACKBONE = "backbone."
# Weights of all heads: as many as take 8 GiB in memory, in single precision.
MAX_WEIGHTS = 2**31


def expected_layouts(header: MapHeader, found: Layouts) -> tuple[dict[str, Layout], list[Head]]:
    """Every tensor that a map has to hold, and its heads without weights, which take no memory.

    Args:
        header: of the map.
        found: what the file holds, not to be trusted. It decides about what may be missing (views,
            preview points) and bounds the sizes of everything.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: header and file do not fit, or what they say
            is beyond the limits.
    """
    expected = {
        "origins": Layout("F64", (len(header.heads), 3)),
        "cameras": Layout("F32", (len(header.frames), 3, 4)),
    }
    if "sketch.points" in found:
        count = _rows(found["sketch.points"], most=MAX_PREVIEW)
        expected["sketch.points"] = Layout("F16", (count, 3))
        expected["sketch.colours"] = Layout("U8", (count, 3))
    expected |= landmark_layouts(found)
    channels = known_channels(header.backbone)
    if header.own_sizes is not None:
        own = {n.removeprefix(BACKBONE): i for n, i in found.items() if n.startswith(BACKBONE)}
        channels, width = header.own_sizes
        stored = backbone_layouts(own, channels=channels, width=width)
        expected |= {BACKBONE + name: layout for name, layout in stored.items()}
    stored_of = by_head(found)
    heads, weights = [], 0
    for number, spec in enumerate(header.heads):
        head, stored = _head(spec, stored_of.get(str(number), {}), header.short_side)
        channels = channels or head.channels
        if head.channels != channels:
            raise ValueError("a head for features of another length than the backbone's")
        expected |= {f"heads.{number}.{name}": layout for name, layout in stored.items()}
        if f"views.{number}" in found:
            count = _rows(found[f"views.{number}"], most=MAX_VIEWS)
            expected[f"views.{number}"] = Layout("I8", (count, descriptor_length(channels)))
        heads.append(head)
        weights += sum(p.numel() for p in head.parameters())
        if weights > MAX_WEIGHTS:
            raise ValueError("too many weights")
    return expected, heads


def by_head(tensors: Mapping[str, Item]) -> dict[str, dict[str, Item]]:
    """What belongs to each head: by the number in the names, then by what follows it there."""
    owned: dict[str, dict[str, Item]] = {}
    for name, item in tensors.items():
        if name.startswith("heads."):
            owner, _, parameter = name.removeprefix("heads.").partition(".")
            owned.setdefault(owner, {})[parameter] = item
    return owned


def _head(spec: HeadSpec, found: Layouts, short_side: int) -> tuple[Head, dict[str, Layout]]:
    """A head without weights, and how the file has to hold them."""
    bits = spec.bits
    packed = {name for name in found if bits is not None and name + SCALES in found}
    held = 0
    for name, layout in found.items():
        numbers = math.prod(layout.shape)
        held += numbers * 8 // bits if bits is not None and name in packed else numbers
    # On this device a module has shapes alone.
    with torch.device("meta"):
        head = build_head(spec.sizes, scale=spec.scale, weights=held)
    weights, layer = sum(p.numel() for p in head.parameters()), head.spec().get("width", 0)
    if is_too_large(weights=weights, layer=layer, short_side=short_side):
        raise ValueError("a head too large for images of this size")
    stored: dict[str, Layout] = {}
    for name, parameter in head.named_parameters():
        if bits is not None and name in packed:
            codes, scales = packed_shapes(tuple(parameter.shape), bits=bits)
            stored[name], stored[name + SCALES] = Layout("U8", codes), Layout("F16", scales)
        else:
            stored[name] = Layout("F16", tuple(parameter.shape))
    if bits is not None and not packed:
        raise ValueError("bits of a head that is not compressed")
    return head, stored


def _rows(layout: Layout, *, most: int) -> int:
    """Rows of a table (N, ...), of which there may be so many; else ValueError."""
    if len(layout.shape) != 2 or layout.shape[0] > most:
        raise ValueError("a table of impossible size")
    return layout.shape[0]
