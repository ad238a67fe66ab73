"""Refinement of a pose on correspondences that err by different amounts.

The cost of a pose is the sum of rho(e_i / sigma_i) over the reprojection errors e_i, with Cauchy's
rho(r) = c^2 / 2 log(1 + r^2 / c^2). It is minimised by Levenberg-Marquardt on iteratively
reweighted least squares (Triggs et al., "Bundle Adjustment - A Modern Synthesis", 2000, sections 4
and 6). PoseLib's refinement has one scale for all points, hence this one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, orthonormalized, pose_from, rotation_from_vector
from reloc.pose.correspondences import Correspondences
from reloc.pose.solver import reprojection_errors

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
    """

    scale: float = 1.0
    gate: float = 7.5
    rounds: int = 2
    iterations: int = 50


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

    Args:
        world_from_cam: (4, 4) to begin at.
        seen: the correspondences, each with its sigma.
        options: scale and gate.

    Returns:
        None if fewer than four correspondences are within the gate, or if they leave a direction
        of the pose open.
    """
    cam_from_world = inverted(world_from_cam)
    for _ in range(options.rounds):
        near = _errors(cam_from_world, seen) < options.gate * seen.sigmas
        if near.sum() < 4:
            return None
        cam_from_world = _minimized(cam_from_world, seen[near], options)
    cam_from_world = orthonormalized(cam_from_world)
    errors = _errors(cam_from_world, seen)
    inliers = errors < options.gate * seen.sigmas
    if inliers.sum() < 4:
        return None
    covariance = _covariance(cam_from_world, seen[inliers], options.scale)
    if covariance is None:
        return None
    return RefinedPose(inverted(cam_from_world), covariance, errors, inliers)


@dataclass(frozen=True, eq=False)
class _System:
    """The cost with its derivatives by a motion (rotation, translation) of the points seen.

    Residuals (N, 2) and jacobian (N, 2, 6) are in sigmas, without the weights (N,) of the loss.
    """

    cost: float
    weights: Array
    residuals: Array
    jacobian: Array
    depths: Array

    def normal(self) -> tuple[Array, Array]:
        """Normal matrix (6, 6) and slope (6,)."""
        weighted = (self.weights[:, None, None] * self.jacobian).reshape(-1, 6)
        jacobian = self.jacobian.reshape(-1, 6)
        return weighted.T @ jacobian, weighted.T @ self.residuals.ravel()


def _minimized(cam_from_world: Array, seen: Correspondences, options: RefinementOptions) -> Array:
    """Levenberg-Marquardt from a pose that has all points in front of the camera."""
    now = _system(cam_from_world, seen, options.scale)
    damping = FIRST_DAMPING
    for _ in range(options.iterations):
        step = _step(now, damping)
        trial = cam_from_world if step is None else _moved(cam_from_world, step)
        tried = _system(trial, seen, options.scale)
        if step is None or not tried.cost < now.cost:
            damping *= 10
            if damping > MAX_DAMPING:
                break
            continue
        gain = (now.cost - tried.cost) / now.cost
        cam_from_world, now, damping = trial, tried, damping / 10
        if gain < LEAST_GAIN:
            break
    return cam_from_world


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


def _system(cam_from_world: Array, seen: Correspondences, scale: float) -> _System:
    """The cost of a pose; infinite where a point is not in front of the camera."""
    points = seen.scene_coordinates @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    x, y, z = points.T
    if not (z > 0).all():
        nothing = np.empty(0)
        return _System(np.inf, nothing, nothing, nothing, z)
    u, v = x / z, y / z
    pull = seen.focal / seen.sigmas
    residuals = (np.stack([u, v], axis=1) - seen.rays) * pull[:, None]
    squared = (residuals**2).sum(axis=1) / scale**2
    zero, one = np.zeros_like(z), np.ones_like(z)
    # d(projection) / d(point) by d(point) / d(motion): a point p moves by w x p + v.
    du = np.stack([-u * v, one + u * u, -v, one / z, zero, -u / z], axis=1)
    dv = np.stack([-one - v * v, u * v, u, zero, one / z, -v / z], axis=1)
    jacobian = np.stack([du, dv], axis=1) * pull[:, None, None]
    cost = float(np.log1p(squared).sum()) * scale**2 / 2
    return _System(cost, 1 / (1 + squared), residuals, jacobian, z)


def _covariance(cam_from_world: Array, seen: Correspondences, scale: float) -> Array | None:
    """Covariance of a motion of the camera in its own frame; None if a direction is open.

    That of a robust estimate (Huber, "Robust Statistics", 1981, section 7.6):
    mean(psi^2) / mean(psi')^2 (J^T J)^-1 with residuals and J in sigmas. For Cauchy's loss of the
    length of a residual in the plane, psi = w r and the mean of psi' over its directions is w^2.
    """
    system = _system(cam_from_world, seen, scale)
    if not np.isfinite(system.cost):
        return None
    jacobian = system.jacobian.reshape(-1, 6)
    # Scale the translation so that the inverse is well conditioned in any unit of length.
    units = np.array([1.0, 1.0, 1.0, *[float(np.median(system.depths))] * 3])
    normal = (jacobian * units).T @ (jacobian * units)
    if np.linalg.cond(normal) > MAX_CONDITION:
        return None
    pulls = (system.weights[:, None] * system.residuals) ** 2
    variance = pulls.sum() / max(1, 2 * len(seen) - 6) / (system.weights**2).mean() ** 2
    # The camera moves against the points that it sees: the sign is lost in the covariance.
    return np.asarray(variance * np.linalg.inv(normal) * np.outer(units, units))


def _moved(cam_from_world: Array, motion: Array) -> Array:
    """The pose after a motion of the points seen: p becomes exp(w) p + v."""
    return pose_from(rotation_from_vector(motion[:3]), motion[3:]) @ cam_from_world


def _errors(cam_from_world: Array, seen: Correspondences) -> Array:
    return reprojection_errors(cam_from_world, seen.scene_coordinates, seen.rays, seen.focal)
