"""Maps, backbones, adapters, the growth of a map, rendered views: files of tensors."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from reloc.backbone import Backbone, load_backbone
from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.adapter_weights import adapted, load_adapter, save_adapter
from reloc.backbone.descriptor import descriptor_length
from reloc.backbone.network import ConvBackbone
from reloc.backbone.weights import fingerprint, save_backbone
from reloc.geometry import Camera, look_at
from reloc.heads import MlpHead, RidgeHead
from reloc.landmarks import DescriptorBasis, Landmarks
from reloc.landmarks.keypoints import unit_descriptors
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.maps.compress import compressed
from reloc.maps.edit import with_added
from reloc.maps.scene_map import MappingCamera, PreviewPoints, Region
from reloc.synthetic.cache import read_views, write_views
from reloc.synthetic.training_views import TrainingViews
from reloc.view.film.recording import Recording, Snapshot
from reloc.view.film.training_history import read_training_history, write_training_history
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target, command, file_of

CAMERA = Camera("OPENCV", 64, 48, (50, 51, 32, 24, -0.1, 0.02, 0.001, 0.002))
NAME = "attic.safetensors"
# Numbers that say what a view with eight channels looks like.
VIEW_LENGTH = descriptor_length(8)


@cache
def backbone(channels: int = 8) -> ConvBackbone:
    """A network of hardly any weights under its fingerprint."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(channels)
        network = ConvBackbone(channels=channels, width=8).fuse()
    network.fingerprint = fingerprint(network)
    return network


def made_map(number: int) -> SceneMap:
    """A small map of each kind that there is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        mlp = MlpHead(channels=8, width=16, blocks=1, scale=2.5)
        ridge = RidgeHead(channels=8, anchors=12, neighbours=3, scale=2.5)
    rng = np.random.default_rng(number)
    views = rng.integers(-127, 127, (4, VIEW_LENGTH)).astype(np.int8)
    region = Region(ridge if number == 2 else mlp, np.array([4.5e6, -3.2e6, 100.0]), views=views)
    cameras = tuple(
        MappingCamera(f"rgb/{n:03}.jpg", look_at((n, 2, 1), (0.5, 0, 0)), CAMERA) for n in range(3)
    )
    made = SceneMap(
        regions=(region,),
        backbone=backbone().fingerprint,
        short_side=48,
        extent=7.5,
        unit="metre",
        cameras=cameras,
        info={"scene": "attic", "seconds": {"training": 1.5}, "steps": 10},
        preview=PreviewPoints(region.origin + rng.normal(size=(5, 3)), np.ones((5, 3), np.uint8)),
    )
    match number:
        case 1:
            return compressed(made, bits=4)
        case 3:
            other = Region(MlpHead(channels=8, width=8, blocks=0), np.ones(3), (0, 2), views)
            return replace(made, regions=(replace(region, frames=(0, 1)), other))
        case 4:
            return replace(made, own_backbone=backbone())
        case 5:
            return replace(made, landmarks=_landmarks(region.origin, rng))
        case _:
            return made


def _landmarks(around: NDArray[np.float64], rng: np.random.Generator) -> Landmarks:
    """A few landmarks that a camera looks at, of descriptors at random."""
    count = 30
    units = unit_descriptors(rng.integers(0, 255, (count, 128)).astype(np.uint8))
    basis = DescriptorBasis.of(units)
    ones = np.ones(count, np.float32)
    return Landmarks(
        points=around + rng.normal(size=(count, 3)),
        deviations=0.01 * ones,
        directions=np.tile(np.array([0, 0, -1], np.float32), (count, 1)),
        spreads=ones,
        sizes=0.1 * ones,
        descriptors=basis.codes(units),
        basis=basis,
    )


def _map(number: int) -> Files:
    if number < 6:
        return {NAME: file_of(made_map(number).save, NAME)}
    return {NAME: _old_map()}


def _old_map() -> bytes:
    """A map of version 1, made of a newer one."""
    content = file_of(made_map(0).save, NAME)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["reloc"])
    (head,) = header.pop("heads")
    header |= {"scale": head.pop("scale"), "head": head}
    state = load(content)
    kept = {n.replace("heads.0.", "head."): t for n, t in state.items() if n[:5] == "heads"}
    kept |= {"origin": state["origins"][0].clone(), "cameras": state["cameras"]}
    return save(kept, metadata={"format": "reloc-map-1", "reloc": json.dumps(header)})


def _load_map(folder: Path) -> SceneMap:
    return SceneMap.load(folder / NAME)


def _localized(scene_map: SceneMap) -> None:
    """What all do who use a map: one photo, and its heads together with those of another."""
    _ = scene_map.scale, scene_map.seconds
    camera = scene_map.query_camera() or CAMERA
    localizer = Localizer(scene_map, backbone(), device="cpu")
    image = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
    localizer.localize(image, replace(camera, width=64, height=48))
    with_added(scene_map, made_map(0))
    json.dumps(dict(scene_map.info), allow_nan=False)


def _listed(folder: Path) -> None:
    command("heads", folder / NAME)


def _backbone(number: int) -> Files:
    bits: Literal[8, 16] = 8 if number else 16
    name = "backbone.safetensors"
    return {name: file_of(lambda path: save_backbone(backbone(), path, bits=bits), name)}


def _seen(network: Backbone) -> None:
    with torch.inference_mode():
        network(torch.zeros(1, 1, 48, 64))


def _adapter(number: int) -> Files:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        adapter = ContextAdapter(inputs=8, channels=12, hidden=6, windows=(3, 5))
    network = adapted(backbone(), adapter)
    name = "adapter.safetensors"
    return {name: file_of(lambda path: save_adapter(network, path), name)}


def _growth(number: int) -> Files:
    rng = np.random.default_rng(number)
    recording = Recording(
        rng.normal(size=(3, 10, 3)).astype(np.float16),
        np.zeros(3),
        2.0,
        rng.integers(0, 255, (10, 3), np.uint8),
        rng.normal(size=(10, 3)),
        tuple(Snapshot(1.0 * n, 0.3 * n, n, 5.0, 2.0, 0.5) for n in range(3)),
    )
    name = "growth.safetensors"
    return {name: file_of(lambda path: write_training_history(recording, path), name)}


def _views(number: int) -> Files:
    views = TrainingViews(
        np.zeros((2, 8, 8), np.uint8),
        np.ones((2, 8, 8), np.float32),
        np.ones((2, 4)),
        np.stack([np.eye(4)] * 2),
        np.array([[0, 1], [1, 0]]),
        np.ones(2, np.float32),
    )
    return {"room.npz": file_of(lambda path: write_views(path, views), "room.npz")}


TARGETS: tuple[Target, ...] = (
    Target("map", _map, 7, _load_map, _localized, share=3),
    Target("cli-heads", _map, 7, _listed, share=0.5),
    Target("backbone", _backbone, 2, lambda f: load_backbone(f / "backbone.safetensors"), _seen),
    Target(
        "adapter", _adapter, 1, lambda f: load_adapter(f / "adapter.safetensors", backbone()), _seen
    ),
    Target(
        "growth",
        _growth,
        1,
        lambda f: read_training_history(f / "growth.safetensors"),
        lambda r: r.at(1.5),
    ),
    Target("rendered-views", _views, 1, lambda f: read_views(f / "room.npz")),
)
