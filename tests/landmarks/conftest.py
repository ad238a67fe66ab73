"""A cloud of points seen by posed views, as keypoints with descriptors."""

from dataclasses import dataclass

import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.landmarks.epipolar import View
from reloc.landmarks.keypoints import NORM, Keypoints

CAMERA = Camera("SIMPLE_RADIAL", 640, 480, (500, 322, 239, -0.05))


@dataclass(frozen=True)
class Cloud:
    """Points (N, 3), views of them, and the point of each keypoint of each view."""

    points: np.ndarray
    views: list[View]
    keypoints: list[Keypoints]
    seen: list[np.ndarray]
    camera: Camera = CAMERA


def stored(units):
    return np.clip(np.rint(NORM * np.abs(units)), 0, 255).astype(np.uint8)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_cloud(*, points=400, views=8, noise=0.3, seed=0):
    """Views around a cloud whose keypoints are off by ``noise`` pixels and look alike by far."""
    rng = np.random.default_rng(seed)
    cloud = rng.uniform((-2, -1.5, 3), (2, 1.5, 6), (points, 3))
    looks = np.abs(rng.normal(size=(points, 128))) ** 3
    made = Cloud(cloud, [], [], [])
    for number in range(views):
        side = 1.5 * (number / (views - 1) - 0.5)
        pose = look_at((side, 0.3 * np.sin(number), 0.1 * number), (0, 0, 4.5), up=(0, -1, 0))
        pixels = CAMERA.project(transformed(inverted(pose), cloud))
        inside = ((pixels > 5) & (pixels < (635, 475))).all(axis=1)
        rows = rng.permutation(np.flatnonzero(inside))
        pixels = (pixels[rows] + noise * rng.normal(size=(len(rows), 2))).astype(np.float32)
        units = unit(unit(looks[rows]) + 0.02 * np.abs(rng.normal(size=(len(rows), 128))))
        depth = transformed(inverted(pose), cloud[rows])[:, 2]
        sizes = (0.05 * CAMERA.focal / depth).astype(np.float32)
        found = Keypoints(pixels, sizes, stored(units))
        made.keypoints.append(found)
        made.seen.append(rows)
        made.views.append(View(pose, CAMERA.focal, CAMERA.rays(pixels), found.descriptors))
    return made


@pytest.fixture(scope="session")
def cloud():
    return make_cloud()


@pytest.fixture
def cloud_of():
    return make_cloud
