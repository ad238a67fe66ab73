"""Refinement of a pose on correspondences that err by different amounts.

The cost of a pose is the sum of rho(e_i / sigma_i) over the reprojection errors e_i, with Cauchy's
rho(r) = c^2 / 2 log(1 + r^2 / c^2). It is minimised by Levenberg-Marquardt on iteratively
reweighted least squares (Triggs et al., "Bundle Adjustment - A Modern Synthesis", 2000, sections 4
and 6). PoseLib's refinement has one scale for all points, hence this one. Where depth was measured,
its error, as a share of it, counts likewise, with a rho of its own.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import (
    inverted,
    orthonormalized,
    pose_from,
    rotation_from_vector,
    transformed,
)
from reloc.pose.correspondences import Correspondences
from reloc.pose.reprojection import projection_jacobian, reprojection_errors

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Damping relative to the diagonal of the normal matrix, at first and at most.
FIRST_DAMPING = 1e-4
MAX_DAMPING = 1e8
# A step that lowers the cost by a smaller share ends the search.
LEAST_GAIN = 1e-12
# Above this condition number, in units of radians and of the typical depth, the correspondences
# leave a direction of the pose open.
MAX_CONDITION = 1e12


@dataclass(frozen=True)
class RefinementOptions:
    """How a pose is refined.

    Attributes:
        scale: of the Cauchy loss, in sigmas.
        gate: sigmas; a correspondence takes part where its error is smaller.
        rounds: times that the gate is put around a refined pose.
        iterations: of Levenberg-Marquardt in each round, at most.
        depth_share: of a measured depth, its standard deviation: that of depth cameras in rooms.
    """

    scale: float = 1.0
    gate: float = 7.5
    rounds: int = 2
    iterations: int = 50
    depth_share: float = 0.015


@dataclass(frozen=True, eq=False)
class RefinedPose:
    """A pose at a minimum of the cost.

    Attributes:
        world_from_cam: (4, 4).
        covariance: (6, 6) of a small motion of the camera in its own frame, rotation vector
            (radians) and translation (scene units), as that of ``pose_covariance``.
        errors: (N,) reprojection errors in pixels, infinity behind the camera.
        inliers: (N,) bool, errors within the gate.
    """

    world_from_cam: Array
    covariance: Array
    errors: Array
    inliers: Mask


def refined_pose(
    world_from_cam: Array, seen: Correspondences, *, options: RefinementOptions
) -> RefinedPose | None:
    """The pose that minimises the weighted robust reprojection error near a first one.

    Measured depths take part; the covariance is that of the reprojections alone.

    Args:
        world_from_cam: (4, 4) to begin at.
        seen: the correspondences, each with its sigma, and depths where they were measured.
        options: scale and gate.

    Returns:
        None if fewer than four correspondences are within the gate, or if they leave a direction
        of the pose open.
    """
    pose = np.asarray(world_from_cam, np.float64)
    for _ in range(options.rounds):
        near = _errors(pose, seen) < options.gate * seen.sigmas
        if near.sum() < 4:
            return None
        pose = _minimized(pose, seen[near], options)
    pose = orthonormalized(pose)
    errors = _errors(pose, seen)
    inliers = errors < options.gate * seen.sigmas
    if inliers.sum() < 4:
        return None
    covariance = _covariance(pose, replace(seen[inliers], depths=None), options)
    return None if covariance is None else RefinedPose(pose, covariance, errors, inliers)


@dataclass(frozen=True, eq=False)
class _System:
    """The cost with its derivatives by a motion of the camera in its own frame.

    Residuals (2, N) and jacobian (2, N, 6) are in sigmas, without the weights (2, N) of the loss;
    with measured depths there are three of each.
    """

    cost: float
    weights: Array
    residuals: Array
    jacobian: Array
    depths: Array

    def normal(self) -> tuple[Array, Array]:
        """Normal matrix (6, 6) and slope (6,)."""
        weighted = (self.weights[..., None] * self.jacobian).reshape(-1, 6)
        jacobian = self.jacobian.reshape(-1, 6)
        return weighted.T @ jacobian, weighted.T @ self.residuals.ravel()


def _minimized(world_from_cam: Array, seen: Correspondences, options: RefinementOptions) -> Array:
    """Levenberg-Marquardt from a pose that has all points in front of the camera."""
    now = _system(world_from_cam, seen, options)
    damping = FIRST_DAMPING
    for _ in range(options.iterations):
        step = _step(now, damping)
        trial = world_from_cam if step is None else _moved(world_from_cam, step)
        tried = _system(trial, seen, options)
        if step is None or not tried.cost < now.cost:
            damping *= 10
            if damping > MAX_DAMPING:
                break
            continue
        gain = (now.cost - tried.cost) / now.cost
        world_from_cam, now, damping = trial, tried, damping / 10
        if gain < LEAST_GAIN:
            break
    return world_from_cam


def _step(system: _System, damping: float) -> Array | None:
    """The damped motion (6,) towards the minimum; None if the matrix is singular."""
    normal, slope = system.normal()
    # A unit diagonal first, so that no unit of length matters.
    units = 1 / np.sqrt(np.maximum(np.diag(normal), np.finfo(np.float64).tiny))
    damped = normal * np.outer(units, units) + damping * np.eye(6)
    try:
        return np.asarray(-np.linalg.solve(damped, slope * units) * units)
    except np.linalg.LinAlgError:
        return None


def _system(world_from_cam: Array, seen: Correspondences, options: RefinementOptions) -> _System:
    """The cost of a pose; infinite where a point is not in front of the camera."""
    points = transformed(inverted(world_from_cam), seen.scene_coordinates)
    depths = points[:, 2]
    if not (depths > 0).all():
        nothing = np.empty(0)
        return _System(np.inf, nothing, nothing, nothing, depths)
    pull = seen.focal / seen.sigmas
    residuals = (points[:, :2] / depths[:, None] - seen.rays).T * pull
    squared = np.tile((residuals**2).sum(axis=0), (2, 1))
    jacobian = projection_jacobian(points) * pull[:, None]
    losses = squared[:1]
    if seen.depths is not None:
        # Points move towards the camera as that moves ahead, and about it as it turns.
        ahead = np.stack([-points[:, 1], points[:, 0], *np.zeros((3, len(points)))], axis=1)
        ahead = np.concatenate([ahead, np.full((len(points), 1), -1.0)], axis=1)
        per_depth = np.nan_to_num(1 / (options.depth_share * seen.depths))
        off = np.where(per_depth > 0, depths - seen.depths, 0) * per_depth
        residuals = np.concatenate([residuals, off[None]])
        jacobian = np.concatenate([jacobian, (ahead * per_depth[:, None])[None]])
        squared = np.concatenate([squared, off[None] ** 2])
        losses = squared[1:]
    square = options.scale**2
    cost = float(np.log1p(losses / square).sum()) * square / 2
    return _System(cost, 1 / (1 + squared / square), residuals, jacobian, depths)


def _covariance(
    world_from_cam: Array, seen: Correspondences, options: RefinementOptions
) -> Array | None:
    """Covariance of a motion of the camera in its own frame; None if a direction is open.

    That of a robust estimate (Huber, "Robust Statistics", 1981, section 7.6):
    mean(psi^2) / mean(psi')^2 (J^T J)^-1 with residuals and J in sigmas. For Cauchy's loss of the
    length of a residual in the plane, psi = w r and the mean of psi' over its directions is w^2.
    """
    system = _system(world_from_cam, seen, options)
    if not np.isfinite(system.cost):
        return None
    jacobian = system.jacobian.reshape(-1, 6)
    # Scale the translation so that the inverse is well conditioned in any unit of length.
    units = np.array([1.0, 1.0, 1.0, *[float(np.median(system.depths))] * 3])
    normal = (jacobian * units).T @ (jacobian * units)
    if np.linalg.cond(normal) > MAX_CONDITION:
        return None
    pulls = (system.weights * system.residuals) ** 2
    variance = pulls.sum() / max(1, 2 * len(seen) - 6) / (system.weights**2).mean() ** 2
    return np.asarray(variance * np.linalg.inv(normal) * np.outer(units, units))


def _moved(world_from_cam: Array, motion: Array) -> Array:
    """The pose after a motion (6,) of the camera in its own frame."""
    return world_from_cam @ pose_from(rotation_from_vector(motion[:3]), motion[3:])


def _errors(world_from_cam: Array, seen: Correspondences) -> Array:
    return reprojection_errors(
        inverted(world_from_cam), seen.scene_coordinates, seen.rays, seen.focal
    )
