"""A map put together from the header and the tensors of its file."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import ConvBackbone
from reloc.backbone.weights import network_of
from reloc.geometry import pose_problem
from reloc.heads import Head
from reloc.maps.contents import MapContents, MappingCamera, PreviewPoints, Region
from reloc.maps.header import MOST_SCALE, HeadSpec, MapHeader
from reloc.maps.landmark_tensors import landmarks_of
from reloc.maps.layout import BACKBONE, SCALES, by_head
from reloc.maps.packing import PackedMatrix, PackedWeights, unpacked_matrix

Array = NDArray[np.float64]
Tensors = Mapping[str, Tensor]

_NO_VIEWS = torch.zeros((0, 0), dtype=torch.int8)


def assembled(header: MapHeader, heads: Sequence[Head], tensors: Tensors) -> MapContents:
    """The map of a file.

    Args:
        header: of the file.
        heads: without weights, as ``expected_layouts`` makes them; they get theirs.
        tensors: all finite, of the layouts that were expected.

    Raises:
        ValueError: origins or poses beyond sense, or another backbone than the header says.
    """
    origins = tensors["origins"].numpy()
    if np.abs(origins).max() > MOST_SCALE:
        raise ValueError("an origin beyond all measure")
    weights = by_head(tensors)
    regions = tuple(
        Region(
            head=head,
            origin=origins[number],
            frames=spec.frames,
            views=tensors.get(f"views.{number}", _NO_VIEWS).numpy(),
            packed=_filled(head, spec, weights[str(number)]),
        )
        for number, (spec, head) in enumerate(zip(header.heads, heads, strict=True))
    )
    return MapContents(
        regions=regions,
        backbone=header.backbone,
        short_side=header.short_side,
        extent=header.extent,
        unit=header.unit,
        cameras=_cameras(header, tensors["cameras"]),
        info=header.info,
        preview=_preview(tensors, regions),
        landmarks=landmarks_of(
            tensors, origin=regions[0].origin, scale=_scale(regions), most=MOST_SCALE
        ),
        own_backbone=_own_backbone(header, tensors),
        reliability=header.reliability,
        held_back=header.held_back,
        alignment=header.alignment,
    )


def _filled(head: Head, spec: HeadSpec, stored: dict[str, Tensor]) -> PackedWeights | None:
    """Gives a head its weights, and returns those that the file keeps in a few bits."""
    matrices = {
        name: PackedMatrix(stored.pop(name), stored.pop(name + SCALES))
        for name in [n.removesuffix(SCALES) for n in stored if n.endswith(SCALES)]
    }
    weights = {name: tensor.float() for name, tensor in stored.items()}
    packed = PackedWeights(spec.bits, matrices) if spec.bits is not None else None
    if packed:
        for name, matrix in packed.matrices.items():
            columns = head.get_parameter(name).shape[1]
            weights[name] = unpacked_matrix(matrix, columns=columns, bits=packed.bits)
    head.load_state_dict({**weights, "scale": torch.tensor(spec.scale)}, assign=True)
    head.requires_grad_(False).eval()
    return packed


def _cameras(header: MapHeader, poses: Tensor) -> tuple[MappingCamera, ...]:
    bottom = np.array([[0.0, 0.0, 0.0, 1.0]])
    cameras = []
    for (name, camera, lens), rows in zip(header.frames, poses.double().numpy(), strict=True):
        pose = np.vstack([rows, bottom])
        if pose_problem(pose) or np.abs(pose[:3, 3]).max() > MOST_SCALE:
            raise ValueError("a pose that is none")
        cameras.append(MappingCamera(name, pose, camera, lens))
    return tuple(cameras)


def _preview(tensors: Tensors, regions: Sequence[Region]) -> PreviewPoints | None:
    if "sketch.points" not in tensors:
        return None
    world = regions[0].origin + _scale(regions) * tensors["sketch.points"].double().numpy()
    return PreviewPoints(world, tensors["sketch.colours"].numpy())


def _scale(regions: Sequence[Region]) -> float:
    return float(np.median([region.scale for region in regions]))


def _own_backbone(header: MapHeader, tensors: Tensors) -> ConvBackbone | None:
    """The backbone that a map brings along; its weights, not the header, say which it is."""
    if header.own_sizes is None:
        return None
    state = {n.removeprefix(BACKBONE): t for n, t in tensors.items() if n.startswith(BACKBONE)}
    channels, width = header.own_sizes
    network = network_of(state, channels=channels, width=width)
    if network.fingerprint != header.backbone:
        raise ValueError("another backbone than the map claims")
    return network
