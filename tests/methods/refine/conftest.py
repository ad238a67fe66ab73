"""A small place of noise to refine maps of."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone.network import ConvBackbone
from reloc.geometry import Camera
from reloc.heads import MlpHead
from reloc.maps.scene_map import MappingCamera, Region, SceneMap
from reloc.scenes.scene import Frame, Scene

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


@pytest.fixture
def place(tmp_path):
    """A map of noise, the scene that it is of, and its backbone."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (48, 64)).astype(np.uint8))
        pose = np.eye(4)
        pose[0, 3] = number
        frames.append(Frame(path.name, path, CAMERA, pose))
    torch.manual_seed(0)
    backbone = ConvBackbone(channels=8, width=8).fuse()
    head = MlpHead(channels=8, width=16, blocks=1, scale=3.0)
    scene_map = SceneMap(
        regions=(Region(head, np.zeros(3)),),
        backbone=backbone.fingerprint,
        short_side=48,
        extent=2.0,
        unit="metre",
        cameras=(),
    )
    return scene_map, Scene("place", tmp_path, "made", tuple(frames)), backbone


@pytest.fixture
def two_heads(place):
    """The map of noise with a head for its first two frames and one for its last two."""
    scene_map, scene, backbone = place
    cameras = tuple(
        MappingCamera(frame.name, frame.world_from_cam, frame.camera) for frame in scene.mapping
    )
    other = MlpHead(channels=8, width=16, blocks=1, scale=3.0)
    regions = (
        replace(scene_map.regions[0], frames=(0, 1)),
        Region(other, np.array([1.5, 0.0, 0.0]), frames=(1, 2)),
    )
    return replace(scene_map, regions=regions, cameras=cameras), scene, backbone
