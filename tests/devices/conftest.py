"""An emulated device for each test, and a place that is small enough to be mapped on it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import ConvBackbone
from reloc.geometry import Camera, look_at
from reloc.scenes import Frame, Scene

from .emulation import emulated
from .emulator import World

CAMERA = Camera.pinhole(width=96, height=72, fx=80)


@pytest.fixture(params=["cuda", pytest.param("mps", marks=pytest.mark.slow)])
def world(request) -> Iterator[World]:
    """The device that is emulated; in the end nothing may have been refused, caught or not."""
    with emulated(request.param) as made:
        yield made
    assert not made.refused


@pytest.fixture(scope="session")
def ring(tmp_path_factory) -> Scene:
    """Photos of noise from 24 places in a ring: a place in which nothing is to be found."""
    folder: Path = tmp_path_factory.mktemp("ring")
    rng = np.random.default_rng(0)
    frames = []
    for number in range(24):
        path = folder / f"{number}.png"
        noise = rng.integers(0, 256, (9, 12), dtype=np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC))
        turn = 0.25 * number
        pose = look_at((2 * np.cos(turn), 2 * np.sin(turn), 0.3), (0.1 * number, 0, 0))
        frames.append(Frame(path.name, path, CAMERA, pose))
    return Scene("ring", folder, "ace", tuple(frames), unit="metre")


@pytest.fixture
def backbone() -> ConvBackbone:
    torch.default_generator.manual_seed(0)
    network = ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)
    network.fingerprint = "toy"
    return network
