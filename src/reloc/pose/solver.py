"""Camera pose from scene coordinates: the one place that talks to PoseLib.

PoseLib ignores option keys that it does not know, and names change between releases; the keys
used here are checked against the installed version on first use.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import poselib
from numpy.typing import NDArray

from reloc.geometry import inverted, orthonormalized, pose_from

Array = NDArray[np.float64]


REFERENCE_SHORT_SIDE = 480


@dataclass(frozen=True)
class SolverOptions:
    """How a pose is searched.

    Attributes:
        threshold: inlier threshold in pixels of a view with a short side of 480.
        min_iterations: hypotheses that are tried at least.
        max_iterations: hypotheses after which the search ends; bounds the time on bad images.
        refine_scale: Cauchy scale in such pixels of the last refinement, over all points near the
            pose.
        subset: points that hypotheses are made from and scored on.
        seed: of the drawing of hypotheses.
    """

    threshold: float = 15.0
    min_iterations: int = 100
    max_iterations: int = 2000
    refine_scale: float = 2.0
    subset: int = 1500
    seed: int = 0

    def for_short_side(self, short_side: int) -> "SolverOptions":
        """The same options for views of another short side than 480, which they are meant for."""
        factor = short_side / REFERENCE_SHORT_SIDE
        return replace(
            self, threshold=self.threshold * factor, refine_scale=self.refine_scale * factor
        )


@dataclass(frozen=True)
class PoseSolution:
    """A pose and what agrees with it.

    Attributes:
        world_from_cam: (4, 4).
        inliers: (N,) bool over all points handed in.
        errors: (N,) reprojection errors in pixels, infinity behind the camera.
    """

    world_from_cam: Array
    inliers: NDArray[np.bool_]
    errors: Array


@cache
def _check_poselib() -> None:
    ransac = set(poselib.RansacOptions())
    bundle = set(poselib.BundleOptions())
    wanted = {"max_reproj_error", "min_iterations", "max_iterations", "seed", "success_prob"}
    if not wanted <= ransac or not {"loss_type", "loss_scale", "max_iterations"} <= bundle:
        raise ImportError("this version of PoseLib has other option names; install poselib<2.1")


def reprojection_errors(cam_from_world: Array, points: Array, rays: Array, focal: float) -> Array:
    """Errors (N,) in pixels of points (N, 3) against rays (N, 2); infinity behind the camera."""
    cam = points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.linalg.norm(cam[:, :2] / cam[:, 2:] - rays, axis=1) * focal
    return np.where((cam[:, 2] > 0) & np.isfinite(errors), errors, np.inf)


def solve_pose(
    scene_coordinates: Array, rays: Array, focal: float, *, options: SolverOptions
) -> PoseSolution | None:
    """LO-RANSAC over four-point sets, then a robust refinement over all points.

    Args:
        scene_coordinates: (N, 3), world frame.
        rays: (N, 2) viewing rays at z = 1, camera frame.
        focal: pixels per unit at z = 1; sets the unit of thresholds.
        options: of the search.

    Returns:
        None if there are fewer than four points or no pose was found.
    """
    _check_poselib()
    if len(scene_coordinates) < 4:
        return None
    pixels = rays * focal
    rng = np.random.default_rng(options.seed)
    pick = np.arange(len(pixels))
    if len(pixels) > options.subset:
        pick = rng.choice(len(pixels), options.subset, replace=False)
    pose, info = poselib.estimate_absolute_pose(
        pixels[pick],
        scene_coordinates[pick],
        _pinhole(focal),
        {
            "max_reproj_error": options.threshold,
            "min_iterations": options.min_iterations,
            "max_iterations": options.max_iterations,
            "success_prob": 0.9999,
            "seed": options.seed,
        },
        {"loss_type": "CAUCHY", "loss_scale": options.refine_scale},
    )
    if info["num_inliers"] < 4 or not np.isfinite(pose.Rt).all():
        return None
    found = inverted(pose_from(pose.R, pose.t))
    refined = refine_pose(found, scene_coordinates, rays, focal, options=options)
    return (
        None
        if refined is None
        else agreement(refined, scene_coordinates, rays, focal, options=options)
    )


def refine_pose(
    world_from_cam: Array,
    scene_coordinates: Array,
    rays: Array,
    focal: float,
    *,
    options: SolverOptions,
) -> Array | None:
    """The pose that minimises the robust reprojection error of all points near a first one.

    Args:
        world_from_cam: (4, 4) to begin at.
        scene_coordinates: (N, 3), world frame.
        rays: (N, 2) viewing rays at z = 1, camera frame.
        focal: pixels per unit at z = 1.
        options: threshold and scale of the robust loss.

    Returns:
        (4, 4), or None if fewer than four points are near or the refinement fails.
    """
    cam_from_world = inverted(world_from_cam)
    pose = poselib.CameraPose()
    pose.R, pose.t = cam_from_world[:3, :3], cam_from_world[:3, 3]
    loss = {"loss_type": "CAUCHY", "loss_scale": options.refine_scale, "max_iterations": 50}
    for _ in range(2):
        near = reprojection_errors(pose.Rt, scene_coordinates, rays, focal) < options.threshold
        if near.sum() < 4:
            return None
        pose, _ = poselib.refine_absolute_pose(
            rays[near] * focal, scene_coordinates[near], pose, _pinhole(focal), loss
        )
    if not np.isfinite(pose.Rt).all():
        return None
    return orthonormalized(inverted(pose_from(pose.R, pose.t)))


def agreement(
    world_from_cam: Array,
    scene_coordinates: Array,
    rays: Array,
    focal: float,
    *,
    options: SolverOptions,
) -> PoseSolution:
    """A pose together with what agrees with it; arguments as those of ``refine_pose``."""
    errors = reprojection_errors(inverted(world_from_cam), scene_coordinates, rays, focal)
    return PoseSolution(world_from_cam, errors < options.threshold, errors)


def _pinhole(focal: float) -> dict[str, object]:
    """An ideal pinhole with its principal point at zero: rays times focal are its pixels."""
    return {"model": "SIMPLE_PINHOLE", "width": 1, "height": 1, "params": [focal, 0.0, 0.0]}
