"""How sure a pose is, from the spread of its inliers."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed

Array = NDArray[np.float64]


def pose_covariance(
    scene_coordinates: Array, rays: Array, focal: float, world_from_cam: Array
) -> Array | None:
    """Covariance (6, 6) of a small motion of the camera in its own frame.

    First-order propagation of the reprojection errors: s^2 (J^T J)^-1, with s^2 the residual
    variance per coordinate. Neighbouring cells err alike, so the true spread is larger; as a
    ranking and as a shape it holds.

    Args:
        scene_coordinates: (N, 3) inliers, world frame.
        rays: (N, 2) their viewing rays.
        focal: pixels per unit at z = 1.
        world_from_cam: (4, 4).

    Returns:
        Rotation vector (radians), then translation (scene units), of the motion ``d`` in
        world_from_cam @ exp(d); None if the inliers do not determine the pose.
    """
    points = transformed(inverted(world_from_cam), scene_coordinates)
    x, y, z = points.T
    if len(points) < 4 or (z <= 0).any():
        return None
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
    jacobian = np.concatenate(
        [np.concatenate([np.einsum("ni,nij->nj", d, cross), -d], axis=1) for d in (du, dv)]
    )
    residuals = points[:, :2] / z[:, None] - rays
    variance = (residuals**2).sum() / max(1, 2 * len(points) - 6)
    # Scale the translation so that the inverse is well conditioned in any unit of length.
    units = np.array([1.0, 1.0, 1.0, *[float(np.median(z))] * 3])
    normal = (jacobian * units).T @ (jacobian * units)
    if np.linalg.cond(normal) > 1e12:
        return None
    return variance * np.linalg.inv(normal) * np.outer(units, units)
