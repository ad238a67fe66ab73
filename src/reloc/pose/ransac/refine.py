"""Refinement of poses on all cells, robust, with the gradient of the exact minimiser.

The cost of a pose is the sum of rho(e) = e^2 / (1 + e^2) / 2 (Geman and McClure) over the errors e
of all cells in units of their scale: reprojections and, where depth was measured, distances. Cells
far off neither pull nor have a gradient, and nothing is cut, so that the minimum moves smoothly
with the scene coordinates.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reloc.pose.ransac.matches import Matches, ahead, camera_points, measured_points
from reloc.pose.ransac.motion import moved

# Levenberg-Marquardt: damping relative to the diagonal, at first and at most.
FIRST_DAMPING = 1e-3
MAX_DAMPING = 1e6
# Smallest pivot of a normal matrix with a unit diagonal that still determines all six directions.
MIN_PIVOT = 3e-3
# A last step longer than this (radians, or shares of the typical distance) tells that the minimum
# was not reached: the pose then stays where it is and has no gradient.
MAX_LAST_STEP = 0.05


@dataclass(frozen=True)
class RefineOptions:
    """How poses are refined.

    Attributes:
        iterations: of Levenberg-Marquardt; a test for an early end would wait for the device.
        pixel_scale: reprojection error in pixels that counts as 1; None leaves them out.
        depth_share: the same for distances to measured points, as a share of their depth, since
            what is far is predicted and measured worse.
    """

    iterations: int = 10
    pixel_scale: float | None = 5.0
    depth_share: float | None = None


@dataclass(frozen=True)
class _System:
    """Normal matrix (B, H, 6, 6) and slope (B, H, 6), float64, and cost (B, H)."""

    normal: Tensor
    slope: Tensor
    cost: Tensor


def refined_poses(cam_from_world: Tensor, matches: Matches, *, options: RefineOptions) -> Tensor:
    """Poses (B, H, 3, 4) at a minimum of the cost near those handed in.

    The gradient by the scene coordinates is that of the minimiser, by the implicit function
    theorem with the exact second derivative of the cost; none flows to the poses handed in, which
    only say where to start. A pose that too few cells pull at stays as it is.
    """
    coordinates = matches.scene_coordinates
    fixed = replace(matches, scene_coordinates=coordinates.detach())
    with torch.no_grad():
        poses = _minimized(cam_from_world.detach(), fixed, options)
    if not (coordinates.requires_grad and torch.is_grad_enabled()):
        return poses
    slope = _system(poses, matches, options).slope
    step, good = _solved(_curvature(poses, fixed, options), -slope, min_pivot=MIN_PIVOT)
    step = step.to(poses.dtype)
    distance = _typical_distance(poses, fixed)
    length = torch.maximum(step[..., :3].norm(dim=-1), step[..., 3:].norm(dim=-1) / distance)
    good = good & (length.detach() < MAX_LAST_STEP)
    return moved(poses, torch.where(good[..., None], step, torch.zeros_like(step)))


def _minimized(poses: Tensor, matches: Matches, options: RefineOptions) -> Tensor:
    """Levenberg-Marquardt; every pose of the batch has its own damping."""
    damping = torch.full(poses.shape[:2], FIRST_DAMPING, dtype=torch.float64, device=poses.device)
    now = _system(poses, matches, options)
    for _ in range(options.iterations):
        diagonal = now.normal.diagonal(dim1=-2, dim2=-1)
        damped = now.normal + torch.diag_embed(damping[..., None] * diagonal)
        step, good = _solved(damped, -now.slope)
        trial = moved(poses, torch.where(good[..., None], step, torch.zeros_like(step)).to(poses))
        tried = _system(trial, matches, options)
        better = good & (tried.cost < now.cost)
        poses = torch.where(better[..., None, None], trial, poses)
        now = _System(
            torch.where(better[..., None, None], tried.normal, now.normal),
            torch.where(better[..., None], tried.slope, now.slope),
            torch.where(better, tried.cost, now.cost),
        )
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-9, MAX_DAMPING)
    return poses


def _system(poses: Tensor, matches: Matches, options: RefineOptions) -> _System:
    points = camera_points(poses, matches.scene_coordinates)
    blocks = []
    if options.pixel_scale is not None:
        blocks.append(_reprojections(points, matches, options.pixel_scale))
    if options.depth_share is not None:
        blocks.append(_distances(points, matches, options.depth_share))
    normals = [(jacobian @ jacobian.mT).double() for jacobian, _, _ in blocks]
    slopes = [
        (jacobian @ residuals[..., None])[..., 0].double() for jacobian, residuals, _ in blocks
    ]
    costs = [cost for _, _, cost in blocks]
    return _System(*(torch.stack(parts).sum(dim=0) for parts in (normals, slopes, costs)))


def _reprojections(points: Tensor, matches: Matches, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted derivatives (B, H, 6, 2N), residuals (B, H, 2N) and the cost (B, H)."""
    counts = ahead(points) & matches.usable[:, None]
    safe = torch.where(counts[:, :, None], points, torch.ones_like(points))
    z = safe[..., 2, :]
    u, v = safe[..., 0, :] / z, safe[..., 1, :] / z
    pull = (matches.focals / scale)[:, None, None]
    ru = (u - matches.rays[:, None, :, 0]) * pull
    rv = (v - matches.rays[:, None, :, 1]) * pull
    root, cost = _robust(ru.square() + rv.square(), counts)
    near = pull / z
    zero = torch.zeros_like(z)
    # p x d(projection)/dp for the rotation, d(projection)/dp for the translation.
    du = torch.stack([-u * v, 1 + u * u, -v, near / pull, zero, -u * near / pull], dim=2)
    dv = torch.stack([-1 - v * v, u * v, u, zero, near / pull, -v * near / pull], dim=2)
    jacobian = torch.cat([du, dv], dim=-1) * (
        pull[..., None] * torch.cat([root, root], -1)[:, :, None]
    )
    return jacobian, torch.cat([ru * root, rv * root], dim=-1), cost


def _distances(points: Tensor, matches: Matches, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted derivatives (B, H, 6, 3N), residuals (B, H, 3N) and the cost (B, H)."""
    assert matches.ranged is not None
    measured, depth = measured_points(matches)
    unit = scale * depth
    offsets = (points - measured) / unit[:, :, None]
    root, cost = _robust(offsets.square().sum(dim=2), matches.ranged[:, None])
    x, y, z = points.unbind(dim=2)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = (
        torch.stack([zero, z, -y, one, zero, zero], dim=2),
        torch.stack([-z, zero, x, zero, one, zero], dim=2),
        torch.stack([y, -x, zero, zero, zero, one], dim=2),
    )
    jacobian = torch.cat(rows, dim=-1) * torch.cat([root / unit] * 3, dim=-1)[:, :, None]
    return jacobian, (offsets * root[:, :, None]).flatten(2), cost


def _robust(squared: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Roots (B, H, N) of the weights rho'(e) / e = 1 / (1 + e^2)^2, and the cost (B, H).

    Cells that do not count weigh nothing and cost as much as one that is far off.
    """
    root = torch.where(counts, 1 / (1 + squared), torch.zeros_like(squared))
    return root, (1 - root).sum(dim=-1) / 2


def _curvature(poses: Tensor, matches: Matches, options: RefineOptions) -> Tensor:
    """Second derivative (B, H, 6, 6) of the cost by a motion of the pose."""
    with torch.enable_grad():
        motions = poses.new_zeros(*poses.shape[:2], 6, requires_grad=True)
        slope = _system(moved(poses, motions), matches, options).slope
        rows = [
            torch.autograd.grad(slope[..., k].sum(), motions, retain_graph=True)[0]
            for k in range(6)
        ]
    curvature = torch.stack(rows, dim=-2).double()
    return (curvature + curvature.mT) / 2


def _solved(matrix: Tensor, right: Tensor, *, min_pivot: float = 0.0) -> tuple[Tensor, Tensor]:
    """Solutions (B, H, 6) of positive definite systems, and which of them (B, H) are.

    The diagonal is brought to one first, so that no unit of length matters.
    """
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    units = diagonal.clamp(min=torch.finfo(matrix.dtype).tiny).rsqrt()
    unit_matrix = matrix * units[..., None] * units[..., None, :]
    good = (diagonal > 0).all(dim=-1) & torch.isfinite(unit_matrix).all(dim=-1).all(dim=-1)
    identity = torch.eye(6, dtype=matrix.dtype, device=matrix.device)
    factor, failed = torch.linalg.cholesky_ex(
        torch.where(good[..., None, None], unit_matrix, identity)
    )
    good = good & (failed == 0)
    good = good & (factor.diagonal(dim1=-2, dim2=-1) > min_pivot).all(dim=-1)
    factor = torch.where(good[..., None, None], factor, identity)
    units = torch.where(good[..., None], units, torch.zeros_like(units))
    solution = torch.cholesky_solve((right * units)[..., None], factor)[..., 0] * units
    return solution, good


def _typical_distance(poses: Tensor, matches: Matches) -> Tensor:
    """Mean distance (B, H) of the cells' points from the cameras."""
    lengths = camera_points(poses, matches.scene_coordinates).norm(dim=2)
    counts = matches.usable[:, None]
    return (lengths * counts).sum(dim=-1) / counts.sum(dim=-1).clamp(min=1) + 1e-12
