"""Frames whose photos show dots at known places, or a wall."""

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at, transformed
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


@pytest.fixture(scope="session")
def wall_frames(tmp_path_factory):
    """Photos of a wall z = 3 covered with blotches of all sizes, from points along it."""
    folder = tmp_path_factory.mktemp("wall")
    camera = Camera("SIMPLE_RADIAL", 320, 240, (300, 156, 123, -0.05))
    rng = np.random.default_rng(0)
    wall = np.zeros((900, 1600), np.float32)
    for size in (3, 8, 20, 50):
        noise = rng.normal(size=wall.shape).astype(np.float32)
        blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), size))
        wall += blurred / blurred.std()
    row, column = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = camera.rays(np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5)
    made = []
    for number, x in enumerate(np.linspace(-0.9, 0.9, 9)):
        pose = look_at((x, 0.1 * np.sin(number), 0), (0.6 * x, 0, 3), up=(0, -1, 0))
        directions = np.c_[rays, np.ones(len(rays))] @ pose[:3, :3].T
        points = pose[:3, 3] + directions * ((3 - pose[2, 3]) / directions[:, 2])[:, None]
        place = ((points[:, :2] + (4, 2.25)) * 200).astype(np.float32).reshape(*row.shape, 2)
        photo = cv2.remap(wall, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        path = folder / f"{number}.png"
        assert cv2.imwrite(str(path), (127 + 35 * photo).clip(0, 255).astype(np.uint8))
        made.append(Frame(path.name, path, camera, pose))
    return made
