"""Maps on disk: one safetensors file with weights and a JSON header.

Whatever a file claims is checked before it is believed: its header (``header``), the tensors that
it has by that (``layout``), their digest, and then what they hold (``assembly``).
``docs/map-format.md`` describes it.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reloc.backbone.weights import stored_state
from reloc.errors import CameraError, MapError
from reloc.maps.assembly import assembled
from reloc.maps.contents import MapContents, Region
from reloc.maps.header import header_text, read_header
from reloc.maps.landmark_tensors import POINTS, landmark_tensors
from reloc.maps.layout import BACKBONE, SCALES, expected_layouts
from reloc.tensor_files import Layout, TensorFile, open_tensors, write_tensors

FORMAT = "reloc-map-3"
# Version 2 knew no landmarks, and is otherwise the same.
PLAIN_FORMAT = "reloc-map-2"
# Version 1 knew one head; see _new_name.
OLD_FORMAT = "reloc-map-1"
MAX_BYTES = 8 * 1024**3
_KEYS = frozenset({"format", "reloc"})


def write_map(scene_map: MapContents, path: Path) -> None:
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
        tensors |= {BACKBONE + name: tensor for name, tensor in stored_state(own).items()}
    tensors["origins"] = torch.from_numpy(
        np.array([region.origin for region in scene_map.regions], np.float64)
    )
    if scene_map.preview is not None:
        # In units of the depth of the scene half precision is a fraction of a pixel.
        local = (scene_map.preview.points - scene_map.origin) / scene_map.scale
        tensors["sketch.points"] = torch.from_numpy(local.astype(np.float16))
        tensors["sketch.colours"] = torch.from_numpy(scene_map.preview.colors.copy())
    tensors["cameras"] = torch.from_numpy(
        np.array([c.world_from_cam[:3] for c in scene_map.cameras], np.float32).reshape(-1, 3, 4)
    )
    landmarks = scene_map.landmarks
    if landmarks is not None and len(landmarks):
        tensors |= landmark_tensors(landmarks, origin=scene_map.origin, scale=scene_map.scale)
    # Versions of the program that know no landmarks go on reading maps that have none.
    version = FORMAT if POINTS in tensors else PLAIN_FORMAT
    write_tensors(path, tensors, {"format": version, "reloc": header_text(scene_map)})


def _stored_weights(region: Region) -> dict[str, Tensor]:
    matrices = region.packed.matrices if region.packed else {}
    stored: dict[str, Tensor] = {}
    for name, tensor in region.head.named_parameters():
        if name in matrices:
            stored[name] = matrices[name].codes
            stored[name + SCALES] = matrices[name].scales
        else:
            stored[name] = tensor.detach().to("cpu", torch.float16).contiguous()
    return stored


def read_map(path: Path) -> MapContents:
    """Reads a map, of this version or the one before.

    Raises:
        MapError: no such file, damaged, of another version, or with impossible contents.
    """
    if not path.is_file():
        raise MapError(f"{path}: no such map; make one with `reloc map SCENE {path.name}`")
    if path.stat().st_size > MAX_BYTES:
        raise MapError(f"{path}: over {MAX_BYTES >> 30} GiB, too large to be a map")
    try:
        with open_tensors(path) as file:
            found = file.metadata.get("format")
            if found not in (FORMAT, PLAIN_FORMAT, OLD_FORMAT):
                told = "no reloc map" if found is None else ascii(found)[:40]
                raise MapError(f"{path}: is {told}; this version reads {FORMAT}")
            return _read(file, upgrade=found == OLD_FORMAT)
    except (KeyError, TypeError, ValueError, RuntimeError, CameraError) as error:
        # The errors that are raised for it say in a few words what is wrong; of others, whose text
        # may be anything, the kind is told.
        told = str(error) if type(error) in (ValueError, CameraError) else type(error).__name__
        raise MapError(
            f"{path}: the map file is damaged or no map ({told:.80}); copy or make it again"
        ) from error


def _read(file: TensorFile, *, upgrade: bool) -> MapContents:
    """The map in a file; anything that does not fit raises one of the errors of read_map()."""
    header = read_header(file.metadata["reloc"], upgrade=upgrade)
    names = {name: _new_name(name) if upgrade else name for name in file.layouts}
    old_name = {new: old for old, new in names.items()}
    found = {names[old]: layout for old, layout in file.layouts.items()}
    expected, heads = expected_layouts(header, found)
    if upgrade:
        expected["origins"] = Layout("F64", (3,))
    stored = {old_name.get(name, name): layout for name, layout in expected.items()}
    tensors = {names[old]: tensor for old, tensor in file.read(stored, plain=_KEYS).items()}
    tensors["origins"] = tensors["origins"].reshape(-1, 3)
    if any(not torch.isfinite(t).all() for t in tensors.values() if t.is_floating_point()):
        raise ValueError("numbers that are not finite")
    return assembled(header, heads, tensors)


def _new_name(name: str) -> str:
    """The name of a tensor of version 1 in this version."""
    if name.startswith("head."):
        return f"heads.0.{name.removeprefix('head.')}"
    # What version 1 did not have stays unknown.
    return {"origin": "origins", "cameras": "cameras"}.get(name, f"old {name}")
