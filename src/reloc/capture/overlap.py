"""Which frames see the same part of a scene, judged from poses and a typical depth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted

Array = NDArray[np.float64]

GRID = (4, 3)  # points of a photo that are looked for in another one
SAME_VIEW_DEG = 45.0  # a surface seen from further aside looks like another one
SAME_SCALE = 2.5
_VALUES_AT_ONCE = 2_000_000


def overlaps(
    cameras: Sequence[Camera],
    world_from_cam: Array,
    seen_by: Sequence[Camera],
    seen_by_world_from_cam: Array,
    *,
    depth: float,
) -> Array:
    """What share of each photo other photos see as well, (A, B).

    Takes everything to be ``depth`` away: good enough to tell neighbours from strangers.

    Args:
        cameras: A cameras.
        world_from_cam: (A, 4, 4) their poses.
        seen_by: B cameras.
        seen_by_world_from_cam: (B, 4, 4) their poses.
        depth: typical distance of what is seen, in scene units.
    """
    half_sizes = np.array([_half_field(camera) for camera in seen_by])
    cam_from_world = inverted(seen_by_world_from_cam)
    centers = seen_by_world_from_cam[:, :3, 3]
    result = np.zeros((len(cameras), len(seen_by)))
    rows = max(1, _VALUES_AT_ONCE // max(1, 3 * GRID[0] * GRID[1] * len(seen_by)))
    points = np.stack([
        _points(camera, pose, depth) for camera, pose in zip(cameras, world_from_cam, strict=True)
    ])  # fmt: skip
    for start in range(0, len(cameras), rows):
        part = points[start : start + rows]  # (R, G, 3)
        eyes = world_from_cam[start : start + rows, None, None, :3, 3]
        seen = np.einsum("bij,rgj->rbgi", cam_from_world[:, :3, :3], part)
        seen = seen + cam_from_world[None, :, None, :3, 3]
        ahead = seen[..., 2] > 1e-9
        z = np.where(ahead, seen[..., 2], 1.0)
        inside = (np.abs(seen[..., :2] / z[..., None]) <= half_sizes[None, :, None]).all(axis=-1)
        from_here, from_there = part[:, None] - eyes, part[:, None] - centers[None, :, None]
        near = np.linalg.norm(from_there, axis=-1)
        cosine = (from_here * from_there).sum(axis=-1) / np.maximum(
            np.linalg.norm(from_here, axis=-1) * near, 1e-12
        )
        alike = cosine > np.cos(np.radians(SAME_VIEW_DEG))
        scale = near / np.linalg.norm(from_here, axis=-1)
        alike &= (scale < SAME_SCALE) & (scale > 1 / SAME_SCALE)
        result[start : start + rows] = (ahead & inside & alike).mean(axis=-1)
    return result


def connected_components(connected: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Connected parts of an undirected graph (N, N), largest first, as indices."""
    left = np.ones(len(connected), dtype=bool)
    parts = []
    while left.any():
        part = np.zeros(len(connected), dtype=bool)
        front = part.copy()
        front[left.argmax()] = True
        while front.any():
            part |= front
            front = connected[front].any(axis=0) & ~part
        parts.append(np.flatnonzero(part))
        left &= ~part
    return sorted(parts, key=len, reverse=True)


def _half_field(camera: Camera) -> tuple[float, float]:
    """Half of what a camera sees, on the plane z = 1; without distortion, which matters little."""
    return camera.width / (2 * camera.fx), camera.height / (2 * camera.fy)


def _points(camera: Camera, world_from_cam: Array, depth: float) -> Array:
    """World points (G, 3) that a camera sees at a depth, on a grid over its photo."""
    width, height = _half_field(camera)
    x = np.linspace(-0.8, 0.8, GRID[0]) * width
    y = np.linspace(-0.8, 0.8, GRID[1]) * height
    u, v = np.meshgrid(x, y)
    rays = np.stack([u.ravel(), v.ravel(), np.ones(u.size)], axis=1)
    return depth * rays @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]
