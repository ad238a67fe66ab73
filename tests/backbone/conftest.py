"""Small networks whose batch norms have seen something."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reloc.backbone import ConvBackbone


@pytest.fixture
def small_backbone() -> Callable[..., ConvBackbone]:
    """Makes networks of 8 channels with statistics as after some training, in eval mode."""

    def make(seed: int = 0, **sizes: int) -> ConvBackbone:
        torch.manual_seed(seed)
        network = ConvBackbone(**{"channels": 8, "width": 8, **sizes})
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0.0, 0.3)
                module.running_mean.normal_(0.0, 0.2)
                module.running_var.uniform_(0.3, 2.0)
        return network.eval()

    return make


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A grey picture (50, 61), well exposed and without noise."""
    blotches = np.random.default_rng(0).integers(40, 220, (5, 6), dtype=np.uint8)
    return np.asarray(cv2.resize(blotches, (61, 50), interpolation=cv2.INTER_CUBIC), np.uint8)
