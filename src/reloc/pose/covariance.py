"""How sure a pose is, from the spread of its inliers."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.pose.correspondences import Correspondences
from reloc.pose.reprojection import projection_jacobian

Array = NDArray[np.float64]


def pose_covariance(seen: Correspondences, world_from_cam: Array) -> Array | None:
    """Covariance (6, 6) of a small motion of the camera in its own frame.

    First-order propagation of the reprojection errors: s^2 (J^T W J)^-1, with W the weights of the
    correspondences and s^2 the weighted residual variance per coordinate. Neighbouring cells err
    alike, so the true spread is larger; as a ranking and as a shape it holds.

    Args:
        seen: the inliers.
        world_from_cam: (4, 4).

    Returns:
        Rotation vector (radians), then translation (scene units), of the motion ``d`` in
        world_from_cam @ exp(d); None if the inliers do not determine the pose.
    """
    points = transformed(inverted(world_from_cam), seen.scene_coordinates)
    z = points[:, 2]
    if len(points) < 4 or (z <= 0).any():
        return None
    # Roots of the weights; the most precise correspondence has 1.
    roots = seen.sigmas.min() / seen.sigmas
    jacobian = (projection_jacobian(points) * roots[:, None]).reshape(-1, 6)
    residuals = (points[:, :2] / z[:, None] - seen.rays) * roots[:, None]
    variance = (residuals**2).sum() / max(1, 2 * len(points) - 6)
    # Scale the translation so that the inverse is well conditioned in any unit of length.
    units = np.array([1.0, 1.0, 1.0, *[float(np.median(z))] * 3])
    normal = (jacobian * units).T @ (jacobian * units)
    if np.linalg.cond(normal) > 1e12:
        return None
    return variance * np.linalg.inv(normal) * np.outer(units, units)
