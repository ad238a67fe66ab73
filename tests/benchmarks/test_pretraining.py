"""Dense SIFT keeps to what a backbone promises; the table of variants."""

from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
import torch

from reloc.backbone import Backbone


def test_dense_sift_is_a_backbone(script: Callable[[str], ModuleType]) -> None:
    sift = script("dense_sift").DenseSift()
    assert isinstance(sift, Backbone)
    noise = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    image = cv2.resize(noise, (196, 132), interpolation=cv2.INTER_CUBIC)
    images = torch.from_numpy(image)[None, None].float() / 255
    features = sift(images)
    assert features.shape == (1, 128, 17, 25)
    torch.testing.assert_close(features.norm(dim=1), torch.full((1, 17, 25), 128**0.5))
    # Cells move with the picture.
    moved = sift(images[..., 8:, 16:])
    torch.testing.assert_close(moved[..., 5:10, 5:15], features[..., 6:11, 7:17])


def test_table_has_a_row_for_each_variant_and_scene(script: Callable[[str], ModuleType]) -> None:
    row = {"variant": "both", "scene": "fox", "steps": 9, "training_seconds": 1.5, "1%_2deg": 50.0}
    lines = script("pretraining").table([row, row | {"training_seconds": None}]).splitlines()
    assert lines[2] == "| both | fox | 9 | 1.5 | – | 50 | – | – | – |"
    assert lines[3].startswith("| both | fox | 9 | – | ")
    assert len({line.count("|") for line in lines}) == 1


def test_a_deeper_backbone_fuses_and_promises_the_same(script: Callable[[str], ModuleType]) -> None:
    network = script("pretraining").DeeperBackbone(channels=8, width=16)
    whole: object = network
    assert isinstance(whole, Backbone)
    images = torch.rand(2, 1, 40, 48)
    for _ in range(3):
        network(images)
    network.eval()
    with torch.no_grad():
        before = network(images)
        torch.testing.assert_close(network.fuse()(images), before, rtol=1e-4, atol=1e-4)
    assert before.shape == (2, 8, 5, 6)
    plain = sum(
        p.numel() for p in script("pretraining").ConvBackbone(channels=8, width=16).parameters()
    )
    assert sum(p.numel() for p in network.parameters()) > plain
