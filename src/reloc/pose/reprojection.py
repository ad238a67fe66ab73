"""Reprojection errors and how they change as a camera moves.

``pose.ransac.matches`` has the same for gradients and batches, in PyTorch.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def reprojection_errors(
    cam_from_world: Array, points: Array, rays: Array, focal: float | Array
) -> Array:
    """Errors (N,) in pixels of points of the world under one pose.

    Args:
        cam_from_world: (3, 4) or (4, 4).
        points: (N, 3), world frame.
        rays: (N, 2) at z = 1, camera frame.
        focal: pixels per unit at z = 1, of all or (N,).
    """
    cam = points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    return projection_errors(cam, rays, focal)


def projection_errors(points_cam: Array, rays: Array, focal: float | Array) -> Array:
    """Errors (N,) in pixels; infinity behind the camera and for what is not finite.

    Args:
        points_cam: (N, 3), camera frame.
        rays: (N, 2) at z = 1 that the points should lie on.
        focal: pixels per unit at z = 1, of all or (N,).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        offsets = points_cam[:, :2] / points_cam[:, 2:] - rays
        errors = np.linalg.norm(offsets, axis=1) * focal
    return np.where((points_cam[:, 2] > 0) & np.isfinite(errors), errors, np.inf)


def projection_jacobian(points_cam: Array) -> Array:
    """Derivatives (2, N, 6) of the projections x / z and y / z by a motion of the camera.

    The motion ``d`` is that of world_from_cam @ exp(d): rotation vector (radians), translation.

    Args:
        points_cam: (N, 3), camera frame, z > 0.
    """
    x, y, z = points_cam.T
    zero = np.zeros_like(z)
    # d(projection)/d(point), then d(point)/d(motion): a point p moves by -(w x p) - t.
    du = np.stack([1 / z, zero, -x / z**2], axis=1)
    dv = np.stack([zero, 1 / z, -y / z**2], axis=1)
    cross = np.stack(
        [
            np.stack([zero, -z, y], axis=1),
            np.stack([z, zero, -x], axis=1),
            np.stack([-y, x, zero], axis=1),
        ],
        axis=1,
    )
    return np.stack(
        [np.concatenate([np.einsum("ni,nij->nj", d, cross), -d], axis=1) for d in (du, dv)]
    )
