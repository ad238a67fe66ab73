"""Coloured points seen by a camera: a picture of what a map knows."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed

MAX_DISC = 10  # pixels; a point right before the lens would otherwise hide everything else
MAX_PAINTED = 3_000_000  # pixels to paint, overdraw included: bounds time and memory
BACKGROUND = (28, 30, 34)


def render_points(
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    camera: Camera,
    world_from_cam: NDArray[np.float64],
    *,
    radius: float,
    onto: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draws points as discs, nearer ones over farther ones.

    Args:
        points: (N, 3) in the world; those that are not finite are left out.
        colours: (N, 3) RGB.
        camera: the camera that looks, of any model; its size is the picture's.
        world_from_cam: (4, 4) pose of that camera.
        radius: of a point in scene units: discs shrink with distance, from ``MAX_DISC`` pixels
            down to a single one. Half a percent of the scene's extent looks right.
        onto: (H, W, 3) what shows where there is no point; by default ``BACKGROUND``.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = camera.height, camera.width
    image = np.full((height * width, 3), BACKGROUND, dtype=np.uint8)
    if onto is not None:
        image[:] = onto.reshape(-1, 3)
    pixels, depth, colours = visible_points(points, colours, camera, world_from_cam)
    # Painting from far to near needs no depth buffer: of repeated indices the last one stays.
    order = np.argsort(-depth)
    pixels, depth, colours = pixels[order], depth[order], colours[order]
    sizes = np.minimum(camera.focal * radius / depth, MAX_DISC).astype(np.int64)
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
    source = np.repeat(np.arange(len(sizes)), counts)[inside]
    target = target[inside]
    image[target[:, 1] * width + target[:, 0]] = colours[source]
    return image.reshape(height, width, 3)


def visible_points(
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    camera: Camera,
    world_from_cam: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Pixels (M, 2), depths (M,) and colours (M, 3) of the points that the camera sees."""
    finite = np.isfinite(points).all(axis=1)
    in_camera, colours = transformed(inverted(world_from_cam), points[finite]), colours[finite]
    front = in_camera[:, 2] > 0
    in_camera, colours = in_camera[front], colours[front]
    rays = in_camera[:, :2] / in_camera[:, 2:]
    # Far outside of the image the polynomials of a lens fold back, so rays are cut off first.
    low, high = camera.ray_bounds()
    seen = ((rays >= low) & (rays <= high)).all(axis=1)
    rays, depth, colours = rays[seen], in_camera[seen, 2], colours[seen]
    pixels = camera.pixels(rays)
    seen = ((pixels >= 0) & (pixels < (camera.width, camera.height))).all(axis=1)
    return pixels[seen], depth[seen], colours[seen]


def _disc(size: int) -> NDArray[np.int64]:
    """Offsets (K, 2) of the pixels of a disc ``size`` pixels in radius; 0 is a single pixel."""
    y, x = np.mgrid[-size : size + 1, -size : size + 1]
    inside = x**2 + y**2 <= (size + 0.4) ** 2
    return np.stack([x[inside], y[inside]], axis=1)
