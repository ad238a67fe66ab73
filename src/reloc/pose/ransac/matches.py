"""What poses are searched from: scene coordinates with what the camera saw of them."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

# A point counts as in front of a camera if it is this share of its distance ahead of it: lens rays
# never reach closer to the image plane, and no unit of length is needed.
MIN_AHEAD = 0.01
# What a point behind the camera is taken to err by: pixels, or shares of a depth.
BEHIND = 1e4


@dataclass(frozen=True)
class Matches:
    """Matches of B images, padded to N cells each.

    Attributes:
        scene_coordinates: (B, N, 3), world frame; may carry a gradient.
        rays: (B, N, 2) viewing rays at z = 1, camera frame.
        focals: (B,) pixels per unit at z = 1.
        usable: (B, N) bool, false for padding and cells without a ray.
        measured: (B, N, 3) points in the camera frame by measured depth, scene units, or None.
        ranged: (B, N) bool, which of them were measured; None exactly if ``measured`` is.
    """

    scene_coordinates: Tensor
    rays: Tensor
    focals: Tensor
    usable: Tensor
    measured: Tensor | None = None
    ranged: Tensor | None = None

    def to(self, device: torch.device) -> "Matches":
        """The same on a device; gradients find their way back."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in held.items() if v is not None})


def camera_points(cam_from_world: Tensor, scene_coordinates: Tensor) -> Tensor:
    """Points (B, H, 3, N) in camera frames (B, H, 3, 4) of scene coordinates (B, N, 3)."""
    batch, hypotheses = cam_from_world.shape[:2]
    rotations = cam_from_world[..., :3].reshape(batch, 3 * hypotheses, 3)
    turned = torch.bmm(rotations, scene_coordinates.transpose(1, 2))
    return turned.view(batch, hypotheses, 3, -1) + cam_from_world[..., 3:]


def ahead(points: Tensor) -> Tensor:
    """Which camera points (..., 3, N) lie in front: (..., N) bool."""
    return points[..., 2, :] > MIN_AHEAD * points.detach().square().sum(dim=-2).sqrt()


def reprojection_errors(cam_from_world: Tensor, matches: Matches) -> Tensor:
    """Errors (B, H, N) in pixels under poses (B, H, 3, 4); ``BEHIND`` behind the camera."""
    points = camera_points(cam_from_world, matches.scene_coordinates)
    rays, focals = matches.rays.transpose(1, 2).unsqueeze(1), matches.focals[:, None, None]
    return projection_errors(points, rays, focals, front=ahead(points), dim=-2)


def projection_errors(
    points: Tensor, rays: Tensor, focals: Tensor | float, *, front: Tensor, dim: int
) -> Tensor:
    """Errors in pixels of camera points against rays at z = 1, see ``pose.reprojection``.

    Args:
        points: with x, y and z along ``dim``.
        rays: with x and y along ``dim``.
        focals: pixels per unit at z = 1.
        front: bool, which points lie in front of the camera; others get ``BEHIND`` and no gradient.
        dim: of the coordinates.
    """
    depth = torch.where(front, points.select(dim, 2), 1.0).unsqueeze(dim)
    errors = safe_norm(points.narrow(dim, 0, 2) / depth - rays, dim=dim) * focals
    return torch.where(front, errors, BEHIND)


def distance_errors(cam_from_world: Tensor, matches: Matches) -> Tensor:
    """Distances (B, H, N) between predicted and measured points, as shares of measured depth.

    ``BEHIND`` where nothing was measured.
    """
    assert matches.ranged is not None
    points = camera_points(cam_from_world, matches.scene_coordinates)
    measured, depth = measured_points(matches)
    errors = safe_norm((points - measured) / depth[:, :, None], dim=-2)
    return torch.where(matches.ranged[:, None], errors, torch.full_like(errors, BEHIND))


def measured_points(matches: Matches) -> tuple[Tensor, Tensor]:
    """Measured points (B, 1, 3, N) and their depth (B, 1, N), which is one where there is none."""
    assert matches.measured is not None and matches.ranged is not None
    measured = torch.where(matches.ranged[..., None], matches.measured, 1.0).mT[:, None]
    return measured, measured[:, :, 2]


def safe_norm(vectors: Tensor, *, dim: int) -> Tensor:
    """Euclidean length along a dimension, with a gradient of zero at zero."""
    squared = vectors.square().sum(dim=dim)
    zero = squared == 0
    return torch.where(zero, torch.zeros_like(squared), torch.where(zero, 1, squared).sqrt())
