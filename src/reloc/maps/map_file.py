"""Maps on disk: one safetensors file with weights and a JSON header.

Whatever a file claims is checked before it is believed; ``docs/map-format.md`` describes it.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from reloc.ascii_names import ascii_name
from reloc.backbone import ConvBackbone
from reloc.backbone.weights import network_of, stored_state
from reloc.errors import CameraError, MapError
from reloc.files import atomic_file
from reloc.geometry import Camera
from reloc.heads import build_head
from reloc.maps.packing import BITS, PackedMatrix, PackedWeights, unpacked_matrix
from reloc.maps.scene_map import (
    MAX_REGIONS,
    MAX_SHORT_SIDE,
    MAX_SKETCH,
    MAX_VIEWS,
    MappingCamera,
    Region,
    SceneMap,
    Sketch,
)

FORMAT = "reloc-map-2"
# Version 1 knew one head; see _upgraded.
OLD_FORMAT = "reloc-map-1"
MAX_BYTES = 8 * 1024**3
_SCALES = ".scales"
_BACKBONE = "backbone."
_NO_VIEWS = torch.zeros((0, 0), dtype=torch.int8)


def write_map(scene_map: SceneMap, path: Path) -> None:
    """Writes a map atomically, weights in fp16 unless they are compressed.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {
        f"heads.{number}.{name}": tensor
        for number, region in enumerate(scene_map.regions)
        for name, tensor in _stored_weights(region).items()
    }
    tensors |= {
        f"views.{number}": torch.from_numpy(region.views.copy())
        for number, region in enumerate(scene_map.regions)
        if len(region.views)
    }
    own = scene_map.own_backbone
    if own is not None:
        tensors |= {_BACKBONE + name: tensor for name, tensor in stored_state(own).items()}
    tensors["origins"] = torch.from_numpy(
        np.array([region.origin for region in scene_map.regions], np.float64)
    )
    if scene_map.sketch is not None:
        # In units of the depth of the scene half precision is a fraction of a pixel.
        local = (scene_map.sketch.points - scene_map.origin) / scene_map.scale
        tensors["sketch.points"] = torch.from_numpy(local.astype(np.float16))
        tensors["sketch.colours"] = torch.from_numpy(scene_map.sketch.colours.copy())
    cameras = scene_map.cameras
    tensors["cameras"] = torch.from_numpy(
        np.array([c.world_from_cam[:3] for c in cameras], np.float32).reshape(-1, 3, 4)
    )
    distinct = {
        camera: index for index, camera in enumerate(dict.fromkeys(c.camera for c in cameras))
    }
    header = {
        "backbone": scene_map.backbone,
        "own_backbone": own and {"channels": own.channels, "width": own.width},
        "short_side": scene_map.short_side,
        "extent": scene_map.extent,
        "unit": scene_map.unit,
        "reliability": scene_map.reliability,
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
        "camera_models": [[c.model, c.width, c.height, list(c.params)] for c in distinct],
        "camera_of_frame": [distinct[c.camera] for c in cameras],
        "frame_names": [c.name for c in cameras],
        "info": dict(scene_map.info),
    }
    metadata = {"format": FORMAT, "reloc": json.dumps(header, allow_nan=False)}
    content = save(tensors, metadata=metadata)
    with atomic_file(path) as file:
        file.write(content)


def _stored_weights(region: Region) -> dict[str, Tensor]:
    matrices = region.packed.matrices if region.packed else {}
    stored: dict[str, Tensor] = {}
    for name, tensor in region.head.named_parameters():
        if name in matrices:
            stored[name] = matrices[name].codes
            stored[name + _SCALES] = matrices[name].scales
        else:
            stored[name] = tensor.detach().to("cpu", torch.float16).contiguous()
    return stored


def read_map(path: Path) -> SceneMap:
    """Reads a map, of this version or the one before.

    Raises:
        MapError: no such file, damaged, of another version, or with impossible contents.
    """
    if not path.is_file():
        raise MapError(f"{path}: no such map; make one with `reloc map SCENE {path.name}`")
    if path.stat().st_size > MAX_BYTES:
        raise MapError(f"{path}: over {MAX_BYTES >> 30} GiB, too large to be a map")
    try:
        with ascii_name(path) as name, safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            found = metadata.get("format", "no reloc map")
            if found not in (FORMAT, OLD_FORMAT):
                raise MapError(f"{path}: is {found}; this version reads {FORMAT}")
            header = json.loads(metadata["reloc"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if found == OLD_FORMAT:
            header, tensors = _upgraded(header, tensors)
        return _assembled(header, tensors)
    except (
        SafetensorError,
        OSError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
        RuntimeError,
        RecursionError,
        CameraError,
    ) as error:
        raise MapError(
            f"{path}: the map file is damaged or no map ({type(error).__name__}); copy or "
            "make it again"
        ) from error


def _upgraded(
    header: dict[str, Any], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A version 1 file, which had one head, as one of this version."""
    heads = [{**header["head"], "scale": header["scale"], "frames": None}]
    renamed = {
        f"heads.0.{name.removeprefix('head.')}": tensor
        for name, tensor in tensors.items()
        if name.startswith("head.")
    }
    renamed |= {"origins": tensors["origin"][None], "cameras": tensors["cameras"]}
    return {**header, "heads": heads}, renamed


def _assembled(header: dict[str, Any], tensors: dict[str, Tensor]) -> SceneMap:
    """Builds the map; anything that does not fit raises one of the errors read_map() catches."""
    if any(not torch.isfinite(t).all() for t in tensors.values()):
        raise ValueError("numbers that are not finite")
    extent, short_side = float(header["extent"]), int(header["short_side"])
    if not (8 <= short_side <= MAX_SHORT_SIDE and extent >= 0 and math.isfinite(extent)):
        raise ValueError("impossible extent or image size")
    reliability = float(header.get("reliability", 1.0))
    if not 0 <= reliability <= 1:
        raise ValueError("impossible reliability")
    cameras = _cameras(header, tensors["cameras"])
    scene_map = SceneMap(
        regions=_regions(header["heads"], tensors, frames=len(cameras)),
        backbone=str(header["backbone"]),
        short_side=short_side,
        extent=extent,
        unit="metre" if header["unit"] == "metre" else "unknown",
        cameras=cameras,
        info=dict(header["info"]),
        own_backbone=_own_backbone(header, tensors),
        reliability=reliability,
    )
    return replace(scene_map, sketch=_sketch(tensors, scene_map))


def _own_backbone(header: dict[str, Any], tensors: dict[str, Tensor]) -> ConvBackbone | None:
    """The backbone that a map brings along; its weights, not the header, say which it is."""
    sizes = header.get("own_backbone")
    if sizes is None:
        return None
    state = {n.removeprefix(_BACKBONE): t for n, t in tensors.items() if n.startswith(_BACKBONE)}
    network = network_of(state, channels=int(sizes["channels"]), width=int(sizes["width"]))
    if network.fingerprint != header["backbone"]:
        raise ValueError("another backbone than the map claims")
    return network


def _sketch(tensors: dict[str, Tensor], scene_map: SceneMap) -> Sketch | None:
    if "sketch.points" not in tensors:
        return None
    points, colours = tensors["sketch.points"], tensors["sketch.colours"]
    known = points.dtype == torch.float16 and colours.dtype == torch.uint8
    if not known or points.shape != colours.shape or points.shape[1:] != (3,):
        raise ValueError("impossible sketch")
    if len(points) > MAX_SKETCH:
        raise ValueError("a sketch of too many points")
    world = scene_map.origin + scene_map.scale * points.double().numpy()
    return Sketch(world, colours.numpy())


def _cameras(header: dict[str, Any], poses: Tensor) -> tuple[MappingCamera, ...]:
    if poses.ndim != 3 or poses.shape[1:] != (3, 4):
        raise ValueError("impossible poses")
    models = [Camera(m, int(w), int(h), tuple(p)) for m, w, h, p in header["camera_models"]]
    bottom = np.array([[0.0, 0.0, 0.0, 1.0]])
    return tuple(
        MappingCamera(str(name), np.vstack([pose, bottom]), models[int(index)])
        for name, pose, index in zip(
            header["frame_names"], poses.double().numpy(), header["camera_of_frame"], strict=True
        )
    )


def _regions(
    specs: list[dict[str, Any]], tensors: dict[str, Tensor], *, frames: int
) -> tuple[Region, ...]:
    """The regions of a map whose ``frames`` cameras are known."""
    origins = tensors["origins"].double().numpy()
    if not 1 <= len(specs) <= MAX_REGIONS or origins.shape != (len(specs), 3):
        raise ValueError("impossible number of heads")
    weights: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("heads."):
            _, owner, parameter = name.split(".", 2)
            weights.setdefault(owner, {})[parameter] = tensor
    regions = []
    for number, (spec, origin) in enumerate(zip(specs, origins, strict=True)):
        scale, own = float(spec["scale"]), weights.pop(str(number))
        rows, views = spec["frames"], tensors.get(f"views.{number}", _NO_VIEWS)
        if views.dtype != torch.int8 or views.ndim != 2 or len(views) > MAX_VIEWS:
            raise ValueError("impossible views")
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError("impossible scale")
        if rows is not None and not all(0 <= int(row) < frames for row in rows):
            raise ValueError("frames that are not there")
        packed = _packed(own, spec.get("bits"))
        # The file itself bounds the head: its tensors must add up before any is allocated.
        held = sum(t.numel() for t in own.values())
        if packed:
            held += sum(m.codes.numel() * 8 // packed.bits for m in packed.matrices.values())
        head = build_head(spec, scale=scale, weights=held)
        if packed:
            for name, matrix in packed.matrices.items():
                columns = head.get_parameter(name).shape[1]
                own[name] = unpacked_matrix(matrix, columns=columns, bits=packed.bits)
        head.load_state_dict({**{n: t.float() for n, t in own.items()}, "scale": head.scale})
        regions.append(
            Region(
                head.requires_grad_(False).eval(),
                origin,
                None if rows is None else tuple(int(row) for row in rows),
                views.numpy(),
                packed,
            )
        )
    if weights:
        raise ValueError("weights of heads that are not there")
    return tuple(regions)


def _packed(weights: dict[str, Tensor], bits: int | None) -> PackedWeights | None:
    """Takes the compressed matrices out of the stored weights of a head."""
    if bits is None:
        return None
    names = [name.removesuffix(_SCALES) for name in weights if name.endswith(_SCALES)]
    if bits not in BITS or not names:
        raise ValueError("impossible bits")
    matrices = {n: PackedMatrix(weights.pop(n), weights.pop(n + _SCALES)) for n in names}
    return PackedWeights(int(bits), matrices)
