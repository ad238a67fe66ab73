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
from reloc.geometry.cameras import both
from reloc.geometry.grids import grid_rays, ray_box
from reloc.images.augment import Gray, antialiased, jittered, resampled_size
from reloc.stereo.inverse_depth import InverseDepth

Array = NDArray[np.float64]

# A cell whose surroundings differ by more than this share of inverse depth lies on an edge.
EDGE = 0.12


@dataclass(frozen=True)
class NovelView:
    """An image from a pose that no camera had, with what its cells look at.

    Pose and camera that go with it are those of the original frame, as for every ``View``.

    Attributes:
        image: (H, W) uint8.
        pixels: (cells, 2) pixel of the original image that each cell looks at, row by row.
        rays: (cells, 2) of these pixels.
        usable: (cells,) whether that is known for sure.
        scale: pixels of the view per pixel of the original, near the middle.
    """

    image: Gray
    pixels: Array
    rays: Array
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

    fine = inverse_depth.fine
    old_from_new = _motion(rng, depth * max_shift, 1 / fine.median, max_rotation_deg)
    rays = grid_rays(camera, fine.first, fine.step, fine.shape)
    known = fine.known & both(np.isfinite(rays))
    points = (
        np.c_[np.nan_to_num(rays), np.ones(len(rays))] / fine.values.astype(np.float64)[:, None]
    )
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
    lens = ray_box(camera)
    old_rays = old[:, :2] / np.maximum(old[:, 2:], 1e-6)
    clipped = np.clip(old_rays, lens.low, lens.high)
    old_pixels = camera.pixels(clipped)
    inside = both((old_rays > lens.low) & (old_rays < lens.high)) & (old[:, 2] > 0)
    size = (camera.width, camera.height)
    inside &= both((old_pixels > 0) & (old_pixels < size))
    # A lens that folds back in its corners shows there what lies elsewhere.
    seen_rays = clipped if lens.whole else camera.rays(np.clip(old_pixels, 0, size))

    kernel = np.ones((3, 3), np.uint8)
    steps = np.asarray(cv2.dilate(closed, kernel)) - np.asarray(cv2.erode(closed, kernel))
    usable = inside & (np.isfinite(seen) & sure & (steps < EDGE * closed)).ravel()
    # Cells lie on a grid of whole strides, of which the view may have a part.
    table = old_pixels.reshape(*grid, 2).astype(np.float32)
    whole = (grid[1] * stride, grid[0] * stride)
    dense = np.asarray(cv2.resize(table, whole, interpolation=cv2.INTER_LINEAR))[:height, :width]
    drawn = cv2.remap(
        antialiased(image, scale),
        # OpenCV has pixel centres at whole numbers.
        dense - np.float32(0.5),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    relit = jittered(np.asarray(drawn, np.uint8), rng, light)
    return NovelView(relit, old_pixels, seen_rays, usable, scale)


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
    front = points[:, 2] > nearest
    points, known = points[front], known[front]
    cells = np.floor(points[:, :2] / points[:, 2:] * focal + middle).astype(np.int64)
    inside = both((cells >= 0) & (cells < (grid[1], grid[0])))
    target = (cells[:, 1] * grid[1] + cells[:, 0])[inside]
    nearness, known = 1 / points[inside, 2], known[inside]
    inverse = np.zeros(grid[0] * grid[1])
    np.maximum.at(inverse, target, nearness)
    sure = np.zeros(len(inverse), bool)
    sure[target[known & (nearness == inverse[target])]] = True
    inverse[inverse == 0] = np.nan
    return inverse.astype(np.float32).reshape(grid), sure.reshape(grid)
