"""Coloured points seen by a camera: a picture of what a map knows."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed

MAX_DISC = 10  # pixels; a point right before the lens would otherwise hide everything else
GAP = 2  # pixels
HIDDEN = 1.25  # a point so many times farther than one beside it in the image is behind it
MAX_PAINTED = 3_000_000  # pixels to paint, overdraw included: bounds time and memory
BACKGROUND = (28, 30, 34)


def render_points(
    points: NDArray[np.floating],
    colors: NDArray[np.uint8],
    camera: Camera,
    world_from_cam: NDArray[np.float64],
    *,
    radius: float | NDArray[np.float64],
    onto: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draws points as discs, nearer ones over farther ones.

    Args:
        points: (N, 3) in the world; those that are not finite are left out.
        colors: (N, 3) RGB.
        camera: the camera that looks, of any model; its size is the picture's.
        world_from_cam: (4, 4) pose of that camera.
        radius: of a point in scene units, or of each (N,): discs shrink with distance, from
            ``MAX_DISC`` pixels down to a single one. Half a percent of the scene's extent looks
            right.
        onto: (H, W, 3) what shows where there is no point; by default ``BACKGROUND``.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = camera.height, camera.width
    image = np.full((height * width, 3), BACKGROUND, dtype=np.uint8)
    if onto is not None:
        image[:] = onto.reshape(-1, 3)
    pixels, depth, rows = visible_points(points, camera, world_from_cam)
    # Painting from far to near needs no depth buffer: of repeated indices the last one stays.
    order = np.argsort(-depth)
    pixels, depth, rows = pixels[order], depth[order], rows[order]
    radii = np.broadcast_to(radius, len(points))[rows]
    sizes = np.rint(np.minimum(camera.focal * radii / depth, MAX_DISC)).astype(np.int64)
    discs = [_disc(size) for size in range(MAX_DISC + 1)]
    areas = np.array([len(disc) for disc in discs])
    while len(sizes) and areas[sizes].sum() > MAX_PAINTED and sizes.max() > 0:
        sizes = np.minimum(sizes, sizes.max() - 1)

    counts = areas[sizes]
    starts = np.cumsum(areas) - areas
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.concatenate(discs)[np.repeat(starts[sizes], counts) + within]
    target = np.repeat(pixels.astype(np.int64), counts, axis=0) + offsets
    inside = ((target >= 0) & (target < (width, height))).all(axis=1)
    source = np.repeat(rows, counts)[inside]
    target = target[inside]
    index = target[:, 1] * width + target[:, 0]
    image[index] = colors[source]
    painted = np.zeros(height * width, np.bool_)
    painted[index] = True
    return _without_gaps(image.reshape(height, width, 3), painted.reshape(height, width))


def visible_points(
    points: NDArray[np.floating], camera: Camera, world_from_cam: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Pixels (M, 2), depths (M,) and rows (M,) of the points (N, 3) that the camera sees."""
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    in_camera = transformed(inverted(world_from_cam), points[rows])
    front = in_camera[:, 2] > 0
    in_camera, rows = in_camera[front], rows[front]
    rays = in_camera[:, :2] / in_camera[:, 2:]
    # Far outside of the image the polynomials of a lens fold back, so rays are cut off first.
    low, high = camera.ray_bounds()
    seen = ((rays >= low) & (rays <= high)).all(axis=1)
    rays, depth, rows = rays[seen], in_camera[seen, 2], rows[seen]
    pixels = camera.pixels(rays)
    seen = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
    return pixels[seen], depth[seen], rows[seen]


def not_hidden(
    pixels: NDArray[np.float64], depth: NDArray[np.float64], cell: float
) -> NDArray[np.bool_]:
    """Which points (N,) no other one stands well before, within ``cell`` pixels or two."""
    if not len(pixels):
        return np.zeros(0, np.bool_)
    column, row = np.floor(pixels / cell).astype(int).T
    nearest = np.full((row.max() + 1, column.max() + 1), np.inf)
    np.minimum.at(nearest, (row, column), depth)
    around = cv2.erode(nearest, np.ones((3, 3), np.uint8))
    return np.asarray(depth < HIDDEN * around[row, column])


def _without_gaps(image: NDArray[np.uint8], painted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image (H, W, 3) whose small gaps in what is painted (H, W) take on what is around them.

    A gap is a pixel with paint ``GAP`` pixels away on three of its four sides.
    """
    row, column = np.nonzero(_sides(painted).sum(axis=0) * ~painted >= 3)
    known = _sides(painted)[:, row, column, None]
    around = np.where(known, _sides(image)[:, row, column], 0).sum(axis=0) / known.sum(axis=0)
    image[row, column] = around.astype(np.uint8)
    return image


def _sides(grid: NDArray[Any]) -> NDArray[Any]:
    """The grids (4, H, W, ...) that lie ``GAP`` pixels to the four sides; zero outside."""
    wide = np.pad(grid, [(GAP, GAP), (GAP, GAP), *[(0, 0)] * (grid.ndim - 2)])
    (height, width), middle, far = grid.shape[:2], slice(GAP, -GAP), 2 * GAP
    return np.stack(
        [wide[:height, middle], wide[far:, middle], wide[middle, :width], wide[middle, far:]]
    )


def _disc(size: int) -> NDArray[np.int64]:
    """Offsets (K, 2) of the pixels of a disc ``size`` pixels in radius; 0 is a single pixel."""
    y, x = np.mgrid[-size : size + 1, -size : size + 1]
    inside = x**2 + y**2 <= (size + 0.4) ** 2
    return np.stack([x[inside], y[inside]], axis=1)
