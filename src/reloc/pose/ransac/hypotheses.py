"""Hypotheses: poses from minimal sets, differentiable in the scene coordinates."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reloc.pose.ransac.matches import Matches
from reloc.pose.ransac.minimal_sets import minimal_sets, taken
from reloc.pose.ransac.motion import cross_matrix, moved, three_point_pose
from reloc.pose.ransac.p3p import p3p

# Above this condition number a minimal set says nothing about how its pose moves.
MAX_CONDITION = 1e6


@dataclass(frozen=True)
class Hypotheses:
    """Poses to choose from.

    Attributes:
        cam_from_world: (B, H, 3, 4), the identity where not valid.
        valid: (B, H) bool, false where all sets that were drawn are degenerate.
    """

    cam_from_world: Tensor
    valid: Tensor


def rgb_hypotheses(
    matches: Matches, *, count: int, draws: int = 4, generator: torch.Generator | None = None
) -> Hypotheses:
    """Poses from four cells each: P3P on three, the solution that suits the fourth best.

    Of ``draws`` sets for each hypothesis those are kept whose fourth cell agrees best. DSAC* draws
    again until it agrees, which no batch can wait for.

    Args:
        matches: of B images.
        count: hypotheses per image.
        draws: sets that are drawn for each of them.
        generator: where chance comes from.
    """
    cells = minimal_sets(matches.usable, sets=count * draws, size=4, generator=generator)
    points, rays = taken(matches.scene_coordinates, cells), taken(matches.rays, cells)
    with torch.no_grad():
        solutions, solved = p3p(points[..., :3, :], rays[..., :3, :])
        last = solutions[..., :3] @ points[..., 3, :].double()[..., None, :, None]
        seen = (last + solutions[..., 3:])[..., 0]
        offsets = seen[..., :2] / seen[..., 2:].clamp(min=1e-12) - rays[..., 3, :][..., None, :]
        errors = offsets.square().sum(dim=-1)
        good = solved & (seen[..., 2] > 0) & torch.isfinite(errors)
        errors, solution = torch.where(good, errors, torch.inf).min(dim=-1)
        errors, best = errors.topk(count, dim=1, largest=False)
        solution = solution.gather(1, best)
        at = best[..., None, None, None].expand(-1, -1, *solutions.shape[2:])
        at_solution = solution[..., None, None, None].expand(-1, -1, 1, 3, 4)
        poses = solutions.gather(1, at).gather(2, at_solution)[:, :, 0].to(points.dtype)
        valid = torch.isfinite(errors) & (matches.usable.sum(dim=1, keepdim=True) >= 4)
        poses = torch.where(valid[..., None, None], poses, _identity(poses))
    if not points.requires_grad:
        return Hypotheses(poses, valid)
    kept = best[..., None, None]
    chosen_points = points.gather(1, kept.expand(-1, -1, *points.shape[2:]))[..., :3, :]
    chosen_rays = rays.gather(1, kept.expand(-1, -1, *rays.shape[2:]))[..., :3, :]
    return Hypotheses(moved(poses, _response(poses, chosen_points, chosen_rays, valid)), valid)


def rgbd_hypotheses(
    matches: Matches, *, count: int, draws: int = 4, generator: torch.Generator | None = None
) -> Hypotheses:
    """Poses from three cells each whose points were measured (Kabsch).

    Of ``draws`` sets for each hypothesis those are kept that fit best, as a share of their size.
    """
    assert matches.measured is not None and matches.ranged is not None
    cells = minimal_sets(matches.ranged, sets=count * draws, size=3, generator=generator)
    points, measured = taken(matches.scene_coordinates, cells), taken(matches.measured, cells)
    poses, valid = three_point_pose(measured, points)
    with torch.no_grad():
        moved_points = points @ poses[..., :3].mT + poses[..., None, :, 3]
        misfit = (moved_points - measured).square().sum(dim=(-2, -1))
        misfit = torch.where(valid, misfit, torch.inf)
        misfit, best = misfit.topk(count, dim=1, largest=False)
    poses = poses.gather(1, best[..., None, None].expand(-1, -1, 3, 4))
    return Hypotheses(poses, torch.isfinite(misfit))


def _response(poses: Tensor, points: Tensor, rays: Tensor, valid: Tensor) -> Tensor:
    """Motions (B, H, 6) of value zero whose gradient is that of P3P.

    Six reprojections r(motion, points) are zero at a solution and stay so, hence
    d motion = -(dr/dmotion)^-1 dr/dpoints d points (implicit function theorem).
    """
    safe = valid[..., None, None]
    poses = torch.where(safe, poses, _identity(poses))
    # A point two units ahead stands in where there is no solution.
    stand_in = 2 * _identity(points)[2, :3]
    seen = points @ poses[..., :3].mT + poses[..., None, :, 3]
    seen = torch.where(safe, seen, stand_in)
    seen = torch.where(seen[..., 2:] > 0, seen, stand_in)
    residuals = (seen[..., :2] / seen[..., 2:] - rays).flatten(-2)
    with torch.no_grad():
        at = seen.double()
        x, y, z = at.unbind(dim=-1)
        zero = torch.zeros_like(z)
        slopes = torch.stack([1 / z, zero, -x / z**2, zero, 1 / z, -y / z**2], -1).unflatten(
            -1, (2, 3)
        )
        jacobian = torch.cat([-slopes @ cross_matrix(at), slopes], dim=-1).flatten(-3, -2)
        depth = z.mean(dim=-1)[..., None, None]
        units = torch.cat([torch.ones_like(depth).expand(*depth.shape[:-1], 3)] + 3 * [depth], -1)
        scaled = jacobian * units
        inverse, _ = torch.linalg.inv_ex(scaled)
        condition = scaled.norm(dim=(-2, -1)) * inverse.norm(dim=(-2, -1))
        told = valid & (condition < MAX_CONDITION)
        inverse = torch.where(told[..., None, None], inverse * units.mT, 0.0).to(points.dtype)
    motions = -(inverse @ residuals[..., None])[..., 0]
    # The solution is exact up to rounding, which is not for this step to repair.
    return motions - motions.detach()


def _identity(like: Tensor) -> Tensor:
    return torch.eye(3, 4, dtype=like.dtype, device=like.device)
