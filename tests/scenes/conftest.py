"""A small known place to write in any format and to read back."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from reloc.geometry import inverted, look_at, transformed
from reloc.scenes import Frame
from tests.scenes.layouts.walks import Walk, render_walk

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Points around the origin and cameras in a ring that look at them."""

    points: Array

    def pose(self, number: int) -> Array:
        """``world_from_cam`` of the camera with this number; no two are alike."""
        angle = 0.4 * number
        eye = (3 * np.cos(angle), 3 * np.sin(angle), 0.5 + 0.1 * number)
        return look_at(eye, (0.05 * number, 0, 0))

    def image(self, path: Path, width: int = 64, height: int = 48) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((height, width, 3), 99, np.uint8))
        return path

    def depth(self, path: Path, width: int = 64, height: int = 48) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((height, width), 1500, np.uint16))
        return path

    def text(self, path: Path, content: str | ArrayLike) -> Path:
        """Writes text, or a matrix as rows of numbers."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str):
            rows = np.atleast_2d(np.asarray(content, dtype=np.float64))
            content = "\n".join(" ".join(repr(float(v)) for v in row) for row in rows) + "\n"
        path.write_text(content)
        return path

    def pinhole_pixels(
        self, number: int, fx: float, fy: float, cx: float, cy: float, pose: Array | None = None
    ) -> Array:
        """Where an ideal camera sees the points, by the textbook formula K [R | t] X."""
        k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        cam_from_world = np.linalg.inv(self.pose(number) if pose is None else pose)
        seen = k @ (cam_from_world[:3, :3] @ self.points.T + cam_from_world[:3, 3:])
        return (seen[:2] / seen[2]).T

    def opencv_pixels(
        self, number: int, k: ArrayLike, distortion: ArrayLike, fisheye: bool = False
    ) -> Array:
        """Where OpenCV sees the points."""
        cam_from_world = np.linalg.inv(self.pose(number))
        vector, _ = cv2.Rodrigues(cam_from_world[:3, :3])
        function = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
        pixels, _ = function(
            self.points[:, None],
            vector,
            cam_from_world[:3, 3],
            np.asarray(k, np.float64),
            np.asarray(distortion, np.float64),
        )
        return pixels[:, 0]


@pytest.fixture(scope="session")
def walk(made_once: Callable[..., Path], bake_once: Callable[[Any], Any]) -> Walk:
    """The walk that layouts of captures are written from, rendered once."""
    from reloc.synthetic import make_room, walk

    def make(path: Path) -> None:
        world = make_room(3)
        poses = walk(world, seed=0, count=120)[:8]
        path.write_bytes(pickle.dumps(render_walk(world, bake_once(world), poses)))

    return cast(Walk, pickle.loads(made_once("walk-of-layouts", make).read_bytes()))


@pytest.fixture
def place() -> Place:
    return Place(np.random.default_rng(7).uniform(-0.8, 0.8, (40, 3)))


@pytest.fixture
def seen_by(place: Place) -> Callable[[Frame], Array]:
    """Where a frame, as it was read, sees the points of the place."""

    def project(frame: Frame) -> Array:
        assert frame.world_from_cam is not None
        return frame.camera.project(transformed(inverted(frame.world_from_cam), place.points))

    return project
