"""A mapping image as it would look from beside where it was taken.

A head that has seen a place from one path only fails beside it. With the depth of an image, it can
be drawn as a camera beside that path would see it, with true parallax and occlusion, in a few
milliseconds: augmentation that no homography can give.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.images.augment import Gray, antialiased, jittered, resampled_size
from reloc.stereo.inverse_depth import InverseDepth

Array = NDArray[np.float64]

# Surfaces are splatted this many times finer than the depth was measured, so that they stay closed.
FINER = 4
# A cell whose surroundings differ by more than this share of inverse depth lies on an edge.
EDGE = 0.12


@dataclass(frozen=True)
class NovelView:
    """An image from a pose that no camera had, with what its cells look at.

    Pose and camera that go with it are those of the original frame, as for every ``View``.

    Attributes:
        image: (H, W) uint8.
        pixels: (cells, 2) pixel of the original image that each cell looks at, row by row.
        usable: (cells,) whether that is known for sure.
        scale: pixels of the view per pixel of the original, near the middle.
    """

    image: Gray
    pixels: Array
    usable: NDArray[np.bool_]
    scale: float


def novel_view(
    image: Gray,
    camera: Camera,
    inverse_depth: InverseDepth,
    rng: np.random.Generator,
    *,
    depth: float,
    short_side: int,
    stride: int,
    max_shift: float = 0.25,
    max_rotation_deg: float = 15.0,
    max_zoom: float = 1.5,
    light: float = 0.2,
) -> NovelView:
    """Draws an image from a random place beside its own, turned, zoomed and relit.

    Args:
        image: (H, W), of the camera's size.
        camera: its intrinsics.
        inverse_depth: how far it sees.
        rng: where chance comes from.
        depth: typical depth of the scene, in scene units.
        short_side: pixels of the view's short side before zooming.
        stride: pixels per cell.
        max_shift: of the camera, in units of the typical depth.
        max_rotation_deg: of the turn in the image plane.
        max_zoom: largest factor of the zoom, either way.
        light: as for ``augmented_view``.

    Raises:
        ImageError: the image is so long and thin that the view would be enormous.
    """
    zoom = np.exp(rng.uniform(-np.log(max_zoom), np.log(max_zoom)))
    scale = short_side / min(image.shape) * zoom
    width, height = resampled_size(camera.width, camera.height, scale)
    focal = camera.focal * scale
    grid = (-(-height // stride), -(-width // stride))
    middle = np.array([width, height]) / 2

    pixels, fine = _refined(inverse_depth)
    ahead = 1 / float(np.median(fine))
    old_from_new = _motion(rng, depth * max_shift, ahead, max_rotation_deg)
    rays = camera.rays(pixels)
    known = np.isfinite(inverse_depth.at(pixels)) & np.isfinite(rays).all(axis=1)
    points = np.c_[np.nan_to_num(rays), np.ones(len(rays))] / fine[:, None]
    seen, sure = _splatted(
        transformed(inverted(old_from_new), points),
        known,
        focal=focal / stride,
        middle=middle / stride,
        grid=grid,
        nearest=0.05 * depth,
    )

    # Back from the cells of the new view into the old image.
    closed = InverseDepth(seen, np.zeros(2), np.ones(2)).filled
    closed = np.asarray(cv2.medianBlur(closed, 3), np.float32)
    row, column = np.mgrid[0 : grid[0], 0 : grid[1]]
    cells = (np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5) * stride
    directions = np.c_[(cells - middle) / focal, np.ones(len(cells))]
    old = transformed(old_from_new, directions / closed.reshape(-1, 1))
    low, high = camera.ray_bounds()
    old_rays = old[:, :2] / np.maximum(old[:, 2:], 1e-6)
    old_pixels = camera.pixels(np.clip(old_rays, low, high))
    inside = ((old_rays > low) & (old_rays < high)).all(axis=1) & (old[:, 2] > 0)
    inside &= ((old_pixels > 0) & (old_pixels < (camera.width, camera.height))).all(axis=1)

    kernel = np.ones((3, 3), np.uint8)
    steps = np.asarray(cv2.dilate(closed, kernel)) - np.asarray(cv2.erode(closed, kernel))
    usable = inside & (np.isfinite(seen) & sure & (steps < EDGE * closed)).ravel()
    # Cells lie on a grid of whole strides, so one affine map takes pixels of the view to it.
    table = old_pixels.reshape(*grid, 2).astype(np.float32)
    x = np.broadcast_to((np.arange(width, dtype=np.float32) + 0.5) / stride - 0.5, (height, width))
    y = np.broadcast_to(
        (np.arange(height, dtype=np.float32)[:, None] + 0.5) / stride - 0.5, (height, width)
    )
    dense = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    drawn = cv2.remap(
        antialiased(image, scale),
        # OpenCV has pixel centres at whole numbers.
        dense - np.float32(0.5),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return NovelView(jittered(np.asarray(drawn, np.uint8), rng, light), old_pixels, usable, scale)


def _refined(inverse_depth: InverseDepth) -> tuple[Array, Array]:
    """Pixels (N, 2) of a finer grid, and its inverse depths (N,) without gaps."""
    height, width = (side * FINER for side in inverse_depth.values.shape)
    fine = cv2.resize(inverse_depth.filled, (width, height), interpolation=cv2.INTER_LINEAR)
    row, column = np.mgrid[0:height, 0:width]
    places = (np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5) / FINER - 0.5
    return inverse_depth.first + places * inverse_depth.step, np.asarray(fine, np.float64).ravel()


def _motion(rng: np.random.Generator, shift: float, ahead: float, max_rotation_deg: float) -> Array:
    """Pose (4, 4) of the new camera in the frame of the old one; both look at about the same."""
    direction = rng.normal(size=3)
    center = direction / np.linalg.norm(direction) * shift * rng.uniform()
    target = np.array([*(0.12 * ahead * rng.normal(size=2)), ahead])
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    angle = np.radians(rng.uniform(-max_rotation_deg, max_rotation_deg))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    old_from_new = np.eye(4)
    old_from_new[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1) @ turn
    old_from_new[:3, 3] = center
    return old_from_new


def _splatted(
    points: Array,
    known: NDArray[np.bool_],
    *,
    focal: float,
    middle: Array,
    grid: tuple[int, int],
    nearest: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Inverse depth (h, w) of the nearest point in each cell, NaN for none; and if it is known."""
    inverse = np.full(grid[0] * grid[1], np.nan, np.float32)
    sure = np.zeros(grid[0] * grid[1], bool)
    front = points[:, 2] > nearest
    points, known = points[front], known[front]
    cells = np.floor(points[:, :2] / points[:, 2:] * focal + middle).astype(np.int64)
    inside = ((cells >= 0) & (cells < (grid[1], grid[0]))).all(axis=1)
    cells, depths, known = cells[inside], points[inside, 2], known[inside]
    # Of repeated indices the last assignment stays: far ones first.
    order = np.argsort(-depths, kind="stable")
    target = (cells[:, 1] * grid[1] + cells[:, 0])[order]
    inverse[target] = 1 / depths[order]
    sure[target] = known[order]
    return inverse.reshape(grid), sure.reshape(grid)
