"""Triangulation: where the points of tracks are, robustly, over all views of a track.

The point of a track begins where two of its rays meet, of several such pairs where most of its
views agree. Then the reprojection error of all is minimised by Gauss-Newton on a robust loss, all
tracks at once (Hartley and Zisserman, chapter 12; Triggs et al. 2000).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.landmarks.tracks import Tracks

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Pairs of views that a point may begin from.
STARTS = 8
ROUNDS = 6
# Radians: rays that are so parallel meet nowhere in particular.
LEAST_MEETING = 1e-3


@dataclass(frozen=True)
class TriangulationOptions:
    """Which points are believed.

    Attributes:
        scale: pixels, of the robust loss.
        tolerance: pixels between a point and its keypoint, at most.
        least_views: views that agree, at least.
        least_angle_deg: between two of the rays, at least.
    """

    scale: float = 1.0
    tolerance: float = 3.0
    least_views: int = 3
    least_angle_deg: float = 1.5


@dataclass(frozen=True)
class Triangulated:
    """Points of tracks.

    Attributes:
        points: (T, 3) in the world.
        covariances: (T, 3, 3) for keypoints that err by a pixel.
        good: (T,) whether the point is believed.
        agrees: (M,) which observations agree with the point of their track.
    """

    points: Array
    covariances: Array
    good: Mask
    agrees: Mask


def triangulate(
    tracks: Tracks,
    rays: Array,
    cam_from_world: Array,
    focals: Array,
    *,
    options: TriangulationOptions,
) -> Triangulated:
    """Points of tracks from known poses.

    Args:
        tracks: of T points with M observations.
        rays: (M, 2) of the observations at z = 1.
        cam_from_world: (V, 4, 4) of the views.
        focals: (V,) pixels per unit at z = 1.
        options: which points are believed.
    """
    poses, focal = cam_from_world[tracks.views], focals[tracks.views]
    points = _starts(tracks, rays, poses, focal, options)
    for _ in range(ROUNDS):
        points = points + _step(points, tracks, rays, poses, focal, options.scale)[0]
    errors = _errors(points[tracks.track], rays, poses, focal)
    agrees = _one_of_each_view(errors, tracks) & (errors < options.tolerance)
    _, normal = _step(points, tracks, rays, poses, focal, options.scale, only=agrees)
    views = np.bincount(tracks.track[agrees], minlength=tracks.count)
    angle = _widest(points, tracks, poses, agrees)
    good = (views >= options.least_views) & (angle >= np.radians(options.least_angle_deg))
    good &= np.isfinite(points).all(axis=1)
    covariances = np.full((tracks.count, 3, 3), np.inf)
    covariances[good] = np.linalg.inv(normal[good])
    return Triangulated(points, covariances, good, agrees & good[tracks.track])


def _starts(
    tracks: Tracks, rays: Array, poses: Array, focal: Array, options: TriangulationOptions
) -> Array:
    """Where each point begins (T, 3): where matched rays meet, of these the best agreed."""
    centers = -np.einsum("mji,mj->mi", poses[:, :3, :3], poses[:, :3, 3])
    directions = np.einsum("mji,mj->mi", poses[:, :3, :3], np.c_[rays, np.ones(len(rays))])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    one, other = tracks.pairs.T
    met, angle = _meeting(centers[one], directions[one], centers[other], directions[other])
    # The widest pairs of each track first; of these, spread over all widths.
    track = tracks.track[one]
    order = np.lexsort((-angle, track))
    begin = np.searchsorted(track[order], np.arange(tracks.count + 1))
    counts = np.diff(begin)
    best = np.full(tracks.count, np.inf)
    points = np.full((tracks.count, 3), np.nan)
    first = np.searchsorted(tracks.track, np.arange(tracks.count + 1))[:-1]
    for number in range(STARTS):
        picks = order[begin[:-1] + counts * number // STARTS]
        candidate = met[picks]
        errors = _errors(candidate[tracks.track], rays, poses, focal)
        # Truncated squares: how many agree, and how well.
        cost = np.add.reduceat(np.minimum(errors, 2 * options.tolerance) ** 2, first)
        better = cost < best
        best[better], points[better] = cost[better], candidate[better]
    return points


def _meeting(
    centers_a: Array, directions_a: Array, centers_b: Array, directions_b: Array
) -> tuple[Array, Array]:
    """Where pairs of rays come nearest to each other (E, 3), and the angles (E,) between them."""
    shift = centers_b - centers_a
    cosine = (directions_a * directions_b).sum(axis=1)
    sine2 = np.maximum(1 - cosine**2, LEAST_MEETING**2)
    along_a = (shift * directions_a).sum(axis=1)
    along_b = (shift * directions_b).sum(axis=1)
    depth_a = (along_a - cosine * along_b) / sine2
    depth_b = (cosine * along_a - along_b) / sine2
    met_a = centers_a + depth_a[:, None] * directions_a
    met_b = centers_b + depth_b[:, None] * directions_b
    return (met_a + met_b) / 2, np.arctan2(np.sqrt(sine2), cosine)


def _errors(points: Array, rays: Array, poses: Array, focal: Array) -> Array:
    """Reprojection errors (M,) in pixels; infinity behind the camera and without a point."""
    seen = np.einsum("mij,mj->mi", poses[:, :3, :3], points) + poses[:, :3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.linalg.norm(seen[:, :2] / seen[:, 2:] - rays, axis=1) * focal
        return np.where((seen[:, 2] > 0) & np.isfinite(errors), errors, np.inf)


def _step(
    points: Array,
    tracks: Tracks,
    rays: Array,
    poses: Array,
    focal: Array,
    scale: float,
    *,
    only: Mask | None = None,
) -> tuple[Array, Array]:
    """A step (T, 3) of Gauss-Newton on a Cauchy loss, and the normal matrices (T, 3, 3)."""
    rotation = poses[:, :3, :3]
    seen = np.einsum("mij,mj->mi", rotation, points[tracks.track]) + poses[:, :3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        projected = seen[:, :2] / seen[:, 2:]
        residuals = (projected - rays) * focal[:, None]
        weights = 1 / (1 + (residuals**2).sum(axis=1) / scale**2)
        jacobian = (rotation[:, :2] - projected[:, :, None] * rotation[:, 2:]) * (
            focal / seen[:, 2]
        )[:, None, None]
        usable = (seen[:, 2] > 0) & np.isfinite(weights)
    if only is not None:
        usable &= only
    weights = np.where(usable, weights, 0.0)
    jacobian = np.where(usable[:, None, None], jacobian, 0.0)
    residuals = np.where(usable[:, None], residuals, 0.0)
    each = np.einsum("mki,m,mkj->mij", jacobian, weights, jacobian)
    slope = np.einsum("mki,m,mk->mi", jacobian, weights, residuals)
    normal = _by_track(each.reshape(-1, 9), tracks).reshape(-1, 3, 3)
    gradient = _by_track(slope, tracks)
    # A trace of damping keeps points of parallel rays from being thrown away.
    trace = np.trace(normal, axis1=1, axis2=2)
    damped = normal + (1e-9 * trace + 1e-300)[:, None, None] * np.eye(3)
    return -np.linalg.solve(damped, gradient[..., None])[..., 0], damped


def _by_track(values: Array, tracks: Tracks) -> Array:
    """Sums (T, D) of values (M, D) over the observations of each track."""
    first = np.searchsorted(tracks.track, np.arange(tracks.count))
    return np.add.reduceat(values, first, axis=0)


def _one_of_each_view(errors: Array, tracks: Tracks) -> Mask:
    """Of the observations of a track in one view, the one with the smallest error (M,)."""
    order = np.lexsort((errors, tracks.views, tracks.track))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(tracks.track[order]) != 0) | (np.diff(tracks.views[order]) != 0)
    chosen = np.zeros(len(order), bool)
    chosen[order[first]] = True
    return chosen


def _widest(points: Array, tracks: Tracks, poses: Array, agrees: Mask) -> Array:
    """Twice the angle (T,) between the mean ray of a point and the ray farthest from it.

    No two rays are farther apart than that; those of a camera that moves around the point are.
    """
    centers = -np.einsum("mji,mj->mi", poses[:, :3, :3], poses[:, :3, 3])
    with np.errstate(invalid="ignore"):
        rays = points[tracks.track] - centers
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    rays = np.where(agrees[:, None] & np.isfinite(rays), rays, 0.0)
    mean = _by_track(rays, tracks)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    cosine = np.where(agrees, (rays * mean[tracks.track]).sum(axis=1), 1.0)
    first = np.searchsorted(tracks.track, np.arange(tracks.count))
    return 2 * np.arccos(np.clip(np.minimum.reduceat(cosine, first), -1, 1))
