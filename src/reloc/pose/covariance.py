"""How far off a pose may be, from what it would be without parts of what it was found by."""

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.pose.correspondences import Correspondences
from reloc.pose.reprojection import projection_jacobian

Array = NDArray[np.float64]

# Above this condition number, in units of radians and of the typical depth, the correspondences
# leave a direction of the pose open.
MAX_CONDITION = 1e12


def leave_out_covariance(
    seen: Correspondences,
    world_from_cam: Array,
    groups: NDArray[np.int64],
    *,
    scale: float,
    hidden: Array | None = None,
) -> Array | None:
    """Covariance (6, 6) of a small motion of the camera in its own frame.

    The jackknife over groups (Efron, "The Jackknife, the Bootstrap and Other Resampling Plans",
    1982; MacKinnon and Webb, 2023, CV3): what errs together is left out together, and the pose
    moves by a Newton step of the robust cost each time. It needs no model of how errors of a group
    depend on each other, nor their size; groups err independently.

    Args:
        seen: what the pose was found by.
        world_from_cam: (4, 4).
        groups: (N,) of each correspondence.
        scale: of the Cauchy loss, in sigmas.
        hidden: (N,) standard deviations in pixels of errors that each correspondence has by itself,
            such as those of a known point, of which chance may show too little.

    Returns:
        Rotation vector (radians), then translation (scene units), of the motion ``d`` in
        world_from_cam @ exp(d); None if the pose is open in a direction without some group.
    """
    points = transformed(inverted(world_from_cam), seen.scene_coordinates)
    depths = points[:, 2]
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 4 or (depths <= 0).any():
        return None
    pull = seen.focal / (seen.sigmas * scale)
    residuals = (points[:, :2] / depths[:, None] - seen.rays).T * pull
    # Scale the translation so that the inverse is well conditioned in any unit of length.
    units = np.array([1.0, 1.0, 1.0, *[float(np.median(depths))] * 3])
    jacobian = projection_jacobian(points) * pull[:, None] * units
    # For Cauchy's loss of the length of a residual in the plane, the slope is w r and the mean of
    # the curvature over its directions w^2.
    weights = 1 / (1 + (residuals**2).sum(axis=0))
    slopes = np.zeros((len(names), 6))
    np.add.at(slopes, group, np.einsum("n,kn,knc->nc", weights, residuals, jacobian))
    curvatures = np.zeros((len(names), 6, 6))
    bent = jacobian * weights[:, None]
    np.add.at(curvatures, group, np.einsum("knc,knd->ncd", bent, bent))
    others = curvatures.sum(axis=0) - curvatures
    if np.linalg.cond(others).max() > MAX_CONDITION:
        return None
    steps = np.linalg.solve(others, slopes[..., None])[..., 0]
    covariance = (len(names) - 1) / len(names) * steps.T @ steps
    if hidden is not None:
        inverse = np.linalg.inv(curvatures.sum(axis=0))
        own = bent * (hidden / (seen.sigmas * scale))[:, None]
        covariance = covariance + inverse @ np.einsum("knc,knd->cd", own, own) @ inverse
    return np.asarray(covariance * np.outer(units, units))
