"""A walk through a room as a phone would film it, and what holds a reader to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, quaternion_from_rotation, transformed
from reloc.images.files import read_image
from reloc.scenes import Frame, Scene
from reloc.scenes.depth import read_depth_map

Array = NDArray[np.float64]
Files = Mapping[str, bytes]

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Walk:
    """Pictures with all that is known of them.

    Attributes:
        camera: of all pictures; its principal point is off the middle, its pixels are not square.
        poses: ``world_from_cam`` (N, 4, 4).
        images: (N, H, W, 3) uint8.
        depths: (N, H, W) metres.
        small: (N, h, w) metres of a coarser depth camera that looks the same way.
        times: seconds.
    """

    camera: Camera
    poses: Array
    images: NDArray[np.uint8]
    depths: NDArray[np.float32]
    small: NDArray[np.float32]
    times: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def opengl(self, number: int) -> Array:
        """``world_from_cam`` with the axes of OpenGL and ARKit."""
        return self.poses[number] @ FLIP

    def cam_from_world(self, number: int) -> Array:
        return np.linalg.inv(self.poses[number])

    def image(self, number: int, suffix: str = ".png") -> bytes:
        pixels = np.ascontiguousarray(self.images[number][:, :, ::-1])
        return cv2.imencode(suffix, pixels)[1].tobytes()

    def depth(self, number: int) -> bytes:
        """Coarse depth in millimetres."""
        steps = np.rint(self.small[number] * 1000).astype(np.uint16)
        return cv2.imencode(".png", steps)[1].tobytes()

    def confidence(self, levels: tuple[int, int, int]) -> bytes:
        """The left third of the coarse depth is not to be relied on, the middle a little."""
        height, width = self.small.shape[1:]
        column = np.array(levels, np.uint8)[np.arange(width) * 3 // width]
        return cv2.imencode(".png", np.tile(column, (height, 1)))[1].tobytes()

    def points(self, number: int) -> tuple[Array, Array]:
        """Pixels (M, 2) of a picture and the points (M, 3) of the room that they show.

        By the textbook: X = z K^-1 (u, v, 1), then R X + t.
        """
        rows, columns = (grid.ravel() for grid in np.mgrid[2 : self.camera.height : 7, 3:96:7])
        z = self.depths[number][rows, columns].astype(np.float64)
        pixels = np.stack([columns + 0.5, rows + 0.5], axis=1)
        k = np.array(
            [[self.camera.fx, 0, self.camera.cx], [0, self.camera.fy, self.camera.cy], [0, 0, 1]]
        )
        in_camera = (np.linalg.inv(k) @ np.c_[pixels, np.ones(len(z))].T).T * z[:, None]
        pose = self.poses[number]
        return pixels, in_camera @ pose[:3, :3].T + pose[:3, 3]


def render_walk(world: Any, baked: Any, poses: Any) -> Walk:
    """Renders a walk of a few tiny pictures."""
    from reloc.synthetic import any_conditions, render, render_depth

    camera = Camera("PINHOLE", 96, 72, (80.5, 79.25, 46.5, 37.25))
    rng = np.random.default_rng(0)
    views = [
        render(baked, camera, pose, conditions=any_conditions(rng, strength=0.1), antialias=1)
        for pose in poses
    ]
    small = [render_depth(baked, camera.resized(32, 24), pose) for pose in poses]
    return Walk(
        camera,
        np.array(poses),
        np.array([view.rgb for view in views]),
        np.array([view.depth for view in views]),
        np.array(small),
        tuple(100 + 0.2 * number for number in range(len(views))),
    )


def wxyz(rotation: Array) -> list[float]:
    """Quaternion as words of a file are made of it."""
    return [float(value) for value in quaternion_from_rotation(rotation[:3, :3])]


def xyzw(rotation: Array) -> list[float]:
    w, x, y, z = wxyz(rotation)
    return [x, y, z, w]


def words(values: Any, separator: str = " ") -> str:
    return separator.join(
        value if isinstance(value, str) else repr(float(value)) for value in values
    )


def lines(rows: Any, separator: str = " ") -> bytes:
    return "".join(words(row, separator) + "\n" for row in rows).encode()


def write(root: Path, files: Files) -> Path:
    """Writes files into a folder, which is made."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def shown_by(walk: Walk, frame: Frame) -> int:
    """The number of the picture that the file of a frame shows; no two are alike."""
    pixels = read_image(frame.image).astype(np.float64)
    apart = [float(np.abs(pixels - image).mean()) for image in walk.images]
    best = int(np.argmin(apart))
    assert apart[best] < 6 and sorted(apart)[1] > 1.5 * apart[best]
    return best


def hold(
    walk: Walk,
    scene: Scene,
    *,
    numbers: Any = None,
    depths: int = 0,
    world: Array | None = None,
    camera: Camera | None = None,
    most_pixels: float = 0.01,
) -> None:
    """Holds a scene to the walk: each frame sees the points of its picture where they are.

    Args:
        walk: what was written.
        scene: what was read.
        numbers: pictures that must be there, in this order; all by default.
        depths: how many frames must have depth that is right.
        world: (4, 4) from the room to the world of the scene, with its scale.
        camera: what was written in place of the walk's own, which the layout cannot tell.
        most_pixels: how far points may be off.
    """
    frames = scene.mapping
    found = [shown_by(walk, frame) for frame in frames]
    assert found == list(range(len(walk)) if numbers is None else numbers)
    for number, frame in zip(found, frames, strict=True):
        pixels, points = walk.points(number)
        if camera is not None:
            pixels = camera.pixels(walk.camera.rays(pixels))
        placed = points if world is None else transformed(world, points)
        assert frame.world_from_cam is not None
        seen = frame.camera.project(transformed(inverted(frame.world_from_cam), placed))
        assert np.abs(seen - pixels).max() < most_pixels
    with_depth = [(n, frame) for n, frame in zip(found, frames, strict=True) if frame.depth]
    assert len(with_depth) == depths
    for number, frame in with_depth:
        _hold_depth(walk, number, frame)


def _hold_depth(walk: Walk, number: int, frame: Frame) -> None:
    """Measured depth is the rendered one, of a camera that looks as the walk's own does."""
    assert frame.depth is not None
    measured = read_depth_map(frame.depth)
    height, width = walk.small.shape[1:]
    expected = walk.camera.resized(width, height)
    np.testing.assert_allclose(measured.camera.matrix(), expected.matrix(), atol=1e-6)
    known = np.isfinite(measured.values)
    assert np.abs(measured.values - walk.small[number])[known].max() < 6e-4
    least = width // 3 if frame.depth.confidence is not None else 0
    assert not known[:, :least].any() and known[:, least + 1 :].all()
