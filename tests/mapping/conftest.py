"""Frames whose photos show dots at known places, or a wall."""

import cv2
import numpy as np
import pytest

from reloc.geometry import inverted, look_at, transformed
from reloc.scenes import Frame


def dots_of(camera, pose):
    """World points (N, 3) that a camera sees spread over its image, at several depths."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(40, camera.width - 20, 45), np.arange(40, camera.height - 20, 45))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-4, 4, (x.size, 2))
    rays = camera.rays(pixels)
    cam = np.c_[rays, np.ones(len(rays))] * rng.uniform(1, 6, (len(rays), 1))
    return transformed(pose, cam)


def draw(camera, pose, points, path):
    """A dark photo in which every point is a soft bright dot."""
    image = np.full((camera.height, camera.width), 20.0)
    at_x, at_y = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    for u, v in camera.project(transformed(inverted(pose), points)):
        image += 200 * np.outer(
            np.exp(-0.5 * ((at_y - v) / 2.5) ** 2), np.exp(-0.5 * ((at_x - u) / 2.5) ** 2)
        )
    assert cv2.imwrite(str(path), image.round().clip(0, 255).astype(np.uint8))
    return path


@pytest.fixture
def frame_of(tmp_path):
    def make(camera, number=0):
        pose = look_at((2 + 0.1 * number, 3, 1), (0, 0.2 * number, 0))
        path = draw(camera, pose, dots_of(camera, pose), tmp_path / f"{number}.png")
        return Frame(path.name, path, camera, pose)

    return make


@pytest.fixture
def dots():
    """World points (N, 3) that a camera sees spread over its image."""
    return dots_of
