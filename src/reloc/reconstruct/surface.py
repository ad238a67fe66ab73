"""Surfaces between the cells of a depth view: dense points, coloured by the photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.reconstruct.depth_views import DepthView

SUBDIVISION = 3  # points from one cell to the next, along each axis
# A patch that turns further away from the camera than this is mostly a bridge over a step in depth.
STEEPEST_DEG = 80.0
SMALLEST = 24  # patches that hang together; fewer are strays


def surface_points(
    view: DepthView, image: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64]]:
    """Points on the patches that four neighbouring cells span.

    Inverse depth is interpolated, which is exact on planes.

    Args:
        view: depth of the cells.
        image: (H, W, 3) RGB photo of the view.

    Returns:
        Points (N, 3) in the world, colours (N, 3), normals (N, 3) of length 1 towards the camera,
        and how wide (N,) the photo's sampling is at the point, in scene units.
    """
    nearness = _corners((1 / view.depth)[..., None])
    low, high = nearness.min(axis=(0, 3)), nearness.max(axis=(0, 3))
    rise = (high / low - 1) * view.camera.focal / (np.sqrt(2) * view.step)
    with np.errstate(invalid="ignore"):
        patch = _without_strays(rise < np.tan(np.radians(STEEPEST_DEG)))
    world = _corners(view.points())[:, patch]
    normals = np.cross(world[3] - world[0], world[2] - world[1])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    center = view.world_from_cam[:3, 3]
    away = ((center - world.mean(axis=0)) * normals).sum(axis=1) < 0
    normals[away] *= -1

    rays, nearness = _corners(view.rays)[:, patch], nearness[:, patch]
    row, column = np.nonzero(patch)
    parts = (np.arange(SUBDIVISION) + 0.5) / SUBDIVISION
    points, pixels, depths = [], [], []
    for v in parts:
        for u in parts:
            weights = np.array([(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u])
            depth = 1 / np.tensordot(weights, nearness, 1)
            flat = np.concatenate([np.tensordot(weights, rays, 1), np.ones_like(depth)], axis=1)
            points.append(flat * depth @ view.world_from_cam[:3, :3].T + center)
            pixels.append((np.stack([column + u, row + v], axis=1) + 0.5) * view.step)
            depths.append(depth[:, 0])
    count = SUBDIVISION**2
    spacing = view.step / SUBDIVISION
    return (
        np.concatenate(points),
        _colors(image, np.concatenate(pixels), blur=spacing),
        np.tile(normals, (count, 1)).astype(np.float32),
        np.concatenate(depths) * spacing / view.camera.focal,
    )


def _corners(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four corners (4, h - 1, w - 1, K) of the patches of a grid (h, w, K)."""
    return np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]])


def _without_strays(patch: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The patches (h, w) that hang together with at least ``SMALLEST`` others."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(patch.astype(np.uint8), connectivity=4)
    return patch & (stats[:, cv2.CC_STAT_AREA] >= SMALLEST)[labels]


def _colors(
    image: NDArray[np.uint8], pixels: NDArray[np.float64], *, blur: float
) -> NDArray[np.uint8]:
    """Colours (N, 3) at pixels (N, 2), averaged over about ``blur`` pixels."""
    if not len(pixels):
        return np.zeros((0, 3), np.uint8)
    size = max(1, round(blur))
    smooth = cv2.blur(image, (size, size))
    # cv2 places pixel centres at whole numbers, and takes at most 32767 rows.
    at = (pixels - 0.5).astype(np.float32)
    rows = [
        cv2.remap(
            smooth,
            part[:, None, 0],
            part[:, None, 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )[:, 0]
        for part in np.array_split(at, len(at) // 30_000 + 1)
    ]
    return np.concatenate(rows)
