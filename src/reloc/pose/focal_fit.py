"""Whether another focal length than the one that was told explains what is seen far better.

The pose is refined twice, as told and with the focal length as a seventh unknown. Twice the drop of
the robust cost is the statistic of the likelihood-ratio test of one more parameter (Wilks, 1938),
chi-squared with one degree of freedom where the focal length is right. Where a view cannot tell a
longer lens from a nearer camera, as of a plane that faces it, the cost does not drop.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, pose_from, rotation_from_vector, transformed
from reloc.pose.correspondences import Correspondences
from reloc.pose.reprojection import projection_jacobian

Array = NDArray[np.float64]

# The 99.99 % quantile of the statistic where the focal length is right.
CRITICAL = 15.14
# Lenses breathe as they focus, and calibrations are good to one or two percent: what is nearer to
# the focal length that was told than this is the same, as a logarithm.
SAME = 0.02
# Cauchy scales in sigmas, one after the other: a wrong focal length moves points by many of them.
SCALES = (8.0, 3.0, 1.0)
# Steps of Levenberg-Marquardt at each scale, at most, and its damping.
STEPS, FIRST_DAMPING, MOST_DAMPING, LEAST_GAIN = 5, 1e-4, 1e2, 1e-3
# With fewer correspondences nothing can be said.
LEAST = 20


@dataclass(frozen=True)
class FocalFit:
    """The focal length that fits best.

    Attributes:
        ratio: of it to the one that was told.
        deviation: standard deviation of the logarithm of the ratio.
        statistic: twice the drop of the robust cost.
    """

    ratio: float
    deviation: float
    statistic: float

    @property
    def is_other(self) -> bool:
        """Whether the focal length that was told does not fit."""
        return self.statistic > CRITICAL and abs(math.log(self.ratio)) > SAME

    @property
    def likelihood(self) -> float:
        """Of the focal length that was told over that of the best one, 0 to 1; 1 if it fits."""
        return math.exp(-self.statistic / 2) if self.is_other else 1.0


def focal_fit(world_from_cam: Array, seen: Correspondences) -> FocalFit | None:
    """The focal length that agrees best with correspondences near a pose.

    Args:
        world_from_cam: (4, 4) that was found with the focal length as told.
        seen: correspondences, those that disagree with the pose by many sigmas among them: which
            they are is what tells. Some may be wrong.

    Returns:
        None where too few are given, or the pose and the focal length cannot be told apart at all.
    """
    pose = np.asarray(world_from_cam, np.float64)
    ahead = transformed(inverted(pose), seen.scene_coordinates)[:, 2] > 0
    if ahead.sum() < LEAST:
        return None
    seen = seen[ahead]
    try:
        told = _Fit(pose, 0.0, seen)
        free = _Fit(pose, 0.0, seen)
        for scale in SCALES:
            free.minimize(scale, unknowns=7)
        told.minimize(SCALES[-1], unknowns=6)
        deviation = free.deviation()
    except np.linalg.LinAlgError:
        return None
    statistic = 2 * max(0.0, told.cost(SCALES[-1]) - free.cost(SCALES[-1]))
    return FocalFit(math.exp(free.log_ratio), deviation, statistic)


class _Fit:
    """A pose and a focal length that are moved towards a minimum of the robust cost."""

    def __init__(self, pose: Array, log_ratio: float, seen: Correspondences) -> None:
        self.pose, self.log_ratio, self._seen = pose, log_ratio, seen
        self._pull = seen.focal / seen.sigmas

    def minimize(self, scale: float, *, unknowns: int) -> None:
        damping = FIRST_DAMPING
        cost, weights, residuals, jacobian = self._system(self.pose, self.log_ratio, scale)
        for _ in range(STEPS):
            used = jacobian[..., :unknowns].reshape(-1, unknowns)
            weighted = used * np.tile(weights, 2)[:, None]
            normal, slope = weighted.T @ used, weighted.T @ residuals.ravel()
            units = 1 / np.sqrt(np.diag(normal))
            damped = normal * np.outer(units, units) + damping * np.eye(unknowns)
            step = -np.linalg.solve(damped, slope * units) * units
            pose = self.pose @ pose_from(rotation_from_vector(step[:3]), step[3:6])
            log_ratio = self.log_ratio + (step[6] if unknowns == 7 else 0.0)
            tried = self._system(pose, log_ratio, scale)
            if tried[0] < cost:
                gain = (cost - tried[0]) / cost
                self.pose, self.log_ratio, damping = pose, log_ratio, damping / 10
                cost, weights, residuals, jacobian = tried
                if gain < LEAST_GAIN:
                    break
            else:
                damping *= 10
                if damping > MOST_DAMPING:
                    break

    def cost(self, scale: float) -> float:
        return self._system(self.pose, self.log_ratio, scale)[0]

    def deviation(self) -> float:
        """Of the logarithm of the ratio, as ``pose.refinement`` has that of a pose."""
        _, weights, residuals, jacobian = self._system(self.pose, self.log_ratio, SCALES[-1])
        flat = jacobian.reshape(-1, 7)
        pulls = (weights * residuals) ** 2
        freedom = max(1, 2 * len(weights) - 7)
        variance = pulls.sum() / freedom / (weights**2).mean() ** 2
        return math.sqrt(variance * np.linalg.inv(flat.T @ flat)[6, 6])

    def _system(
        self, pose: Array, log_ratio: float, scale: float
    ) -> tuple[float, Array, Array, Array]:
        """Cost, weights (N,), residuals (2, N) and jacobian (2, N, 7) in sigmas."""
        points = transformed(inverted(pose), self._seen.scene_coordinates)
        if not (points[:, 2] > 0).all():
            nothing = np.empty(0)
            return math.inf, nothing, nothing, nothing
        ratio = math.exp(log_ratio)
        projected = ratio * (points[:, :2] / points[:, 2:]).T
        residuals = (projected - self._seen.rays.T) * self._pull
        squared = (residuals**2).sum(axis=0) / scale**2
        by_motion = ratio * projection_jacobian(points)
        jacobian = np.concatenate([by_motion, projected[..., None]], axis=2)
        cost = float(np.log1p(squared).sum()) * scale**2 / 2
        return cost, 1 / (1 + squared), residuals, jacobian * self._pull[:, None]
