"""The JSON header of a map file: written from a map, and checked before any of it is believed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reloc.alignment import Alignment
from reloc.alignment.alignment import alignment_record, read_alignment
from reloc.geometry import Camera
from reloc.images.files import MAX_PIXELS
from reloc.images.lens import Lens
from reloc.maps.contents import MAX_CAMERAS, MAX_REGIONS, MAX_SHORT_SIDE, MapContents
from reloc.maps.held_back import HeldBack, held_back_record, read_held_back
from reloc.maps.lenses import lens_records, lenses_of
from reloc.maps.packing import BITS
from reloc.untrusted import (
    check_modest,
    integer,
    items,
    number,
    parsed_json,
    printable,
    record,
    text,
)

# Scene units are the user's own: from a stage of a microscope to a planet in millimetres. Float32
# holds the products of such numbers.
LEAST_SCALE, MOST_SCALE = 1e-12, 1e12
_MAX_SIDE = 100_000
_MAX_INFO = 1 << 20


@dataclass(frozen=True)
class HeadSpec:
    """What a header says of a head.

    Attributes:
        sizes: its kind and what else ``build_head`` takes, which checks it.
        scale: typical depth, scene units.
        bits: of a compressed head, else None.
        frames: rows of the cameras that it was trained from; None for all.
    """

    sizes: Mapping[str, Any]
    scale: float
    bits: int | None
    frames: tuple[int, ...] | None


@dataclass(frozen=True)
class MapHeader:
    """What a header says of a map, all of it within bounds; see ``docs/map-format.md``.

    Attributes:
        backbone: fingerprint of the backbone.
        own_sizes: channels and width of the backbone in the file; None if it has none.
        short_side: of the views, in pixels.
        extent: of the mapping cameras, scene units.
        unit: of a scene unit.
        reliability: share of the mapping frames that the map finds.
        held_back: what the map was measured to do; None where it was not.
        heads: one for each region.
        frames: name, camera and lens of each mapping frame; None for a lens that is not known.
        info: how the map was made.
        alignment: of its world; None where nobody said.
    """

    backbone: str
    own_sizes: tuple[int, int] | None
    short_side: int
    extent: float
    unit: Literal["metre", "unknown"]
    reliability: float
    held_back: HeldBack | None
    heads: tuple[HeadSpec, ...]
    frames: tuple[tuple[str, Camera, Lens | None], ...]
    info: Mapping[str, Any]
    alignment: Alignment | None


def header_text(scene_map: MapContents) -> str:
    """The header of a map as JSON.

    Raises:
        ValueError: ``info`` holds what JSON does not know, or what ``read_header`` would refuse.
    """
    cameras, own = scene_map.cameras, scene_map.own_backbone
    distinct = {
        both: index for index, both in enumerate(dict.fromkeys((c.camera, c.lens) for c in cameras))
    }
    header = {
        "backbone": scene_map.backbone,
        "own_backbone": own and {"channels": own.channels, "width": own.width},
        "short_side": scene_map.short_side,
        "extent": scene_map.extent,
        "unit": scene_map.unit,
        "reliability": scene_map.reliability,
        "held_back": held_back_record(scene_map.held_back),
        "heads": [
            {
                "kind": region.head.kind,
                **region.head.spec(),
                "scale": region.scale,
                "bits": region.packed.bits if region.packed else None,
                "frames": region.frames,
            }
            for region in scene_map.regions
        ],
        "camera_models": [[c.model, c.width, c.height, list(c.params)] for c, _ in distinct],
        "lenses": lens_records([lens for _, lens in distinct]),
        "camera_of_frame": [distinct[c.camera, c.lens] for c in cameras],
        "frame_names": [c.name for c in cameras],
        "info": dict(scene_map.info),
        "alignment": alignment_record(scene_map.alignment),
    }
    stored = printable(header)
    _info(stored["info"])
    return json.dumps(stored, allow_nan=False)


def read_header(content: str, *, upgrade: bool) -> MapHeader:
    """What a header says.

    Args:
        content: JSON, not to be trusted.
        upgrade: whether it is of version 1, which had one head.

    Raises:
        KeyError, ValueError, CameraError: an entry is missing or impossible.
    """
    header = record(parsed_json(content), "header")
    if upgrade:
        head = {**record(header["head"], "head"), "scale": header["scale"], "frames": None}
        header = {**header, "heads": [head], "own_backbone": None}
    frames = _frames(header)
    specs = items(header["heads"], "heads", most=MAX_REGIONS)
    if not specs:
        raise ValueError("no heads")
    if header["unit"] not in ("metre", "unknown"):
        raise ValueError("impossible unit")
    return MapHeader(
        backbone=text(header["backbone"], "backbone", most=256),
        own_sizes=_own_sizes(header.get("own_backbone")),
        short_side=integer(header["short_side"], "short side", least=8, most=MAX_SHORT_SIDE),
        extent=number(header["extent"], "extent", least=0, most=MOST_SCALE),
        unit=header["unit"],
        reliability=number(header.get("reliability", 1.0), "reliability", least=0, most=1),
        held_back=read_held_back(header.get("held_back")),
        heads=tuple(_head(record(spec, "head"), frames=len(frames)) for spec in specs),
        frames=frames,
        info=_info(header["info"]),
        alignment=read_alignment(header.get("alignment")),
    )


def _own_sizes(sizes: Any) -> tuple[int, int] | None:
    if sizes is None:
        return None
    # What they may be is checked with the weights.
    both = (record(sizes, "backbone in the map")[name] for name in ("channels", "width"))
    channels, width = (integer(size, "backbone in the map", most=_MAX_SIDE) for size in both)
    return channels, width


def _head(spec: dict[str, Any], *, frames: int) -> HeadSpec:
    rows, bits = spec["frames"], spec.get("bits")
    if rows is not None:
        rows = items(rows, "frames of a head", most=MAX_CAMERAS)
        rows = tuple(integer(row, "frame of a head", most=frames - 1) for row in rows)
    if bits is not None and integer(bits, "bits", most=max(BITS)) not in BITS:
        raise ValueError("impossible bits")
    return HeadSpec(
        sizes={**spec, "kind": text(spec["kind"], "kind of head")},
        scale=number(spec["scale"], "scale", least=LEAST_SCALE, most=MOST_SCALE),
        bits=bits,
        frames=rows,
    )


def _frames(header: dict[str, Any]) -> tuple[tuple[str, Camera, Lens | None], ...]:
    models = [
        _camera(model) for model in items(header["camera_models"], "cameras", most=MAX_CAMERAS)
    ]
    lenses = lenses_of(header.get("lenses"), len(models))
    names = items(header["frame_names"], "names of frames", most=MAX_CAMERAS)
    indices = [
        integer(index, "camera of a frame", most=len(models) - 1)
        for index in items(header["camera_of_frame"], "cameras of frames", most=MAX_CAMERAS)
    ]
    return tuple(
        (text(name, "name of a frame"), models[index], lenses[index])
        for name, index in zip(names, indices, strict=True)
    )


def _camera(value: Any) -> Camera:
    model, width, height, params = items(value, "camera", most=4)
    width = integer(width, "width of a camera", least=1, most=_MAX_SIDE)
    height = integer(height, "height of a camera", least=1, most=_MAX_SIDE)
    if width * height > MAX_PIXELS:
        raise ValueError("a camera of more pixels than an image may have")
    numbers = (
        number(value, "parameter of a camera", least=-MOST_SCALE, most=MOST_SCALE)
        for value in items(params, "parameters of a camera", most=32)
    )
    return Camera(text(model, "model of a camera"), width, height, tuple(numbers))


def _info(value: Any) -> Mapping[str, Any]:
    """What the map tells of its making; the entries that programs read are what they expect."""
    info = record(value, "info")
    check_modest(info, "info", most=_MAX_INFO)
    text(info.get("scene", ""), "info")
    for name in ("frames", "skipped", "swept", "views", "features", "steps"):
        integer(info.get(name, 0), "info", most=2**53)
    for name in ("median_error_px", "inlier_share"):
        number(info.get(name, 0), "info", least=0, most=MOST_SCALE)
    for seconds in record(info.get("seconds", {}), "info").values():
        number(seconds, "info", least=0, most=MOST_SCALE)
    return info
