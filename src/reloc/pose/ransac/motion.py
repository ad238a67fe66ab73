"""Small motions of poses, and the pose that brings three points onto three others."""

import torch
from torch import Tensor

# Sine of the smallest corner of a triangle that still tells a rotation.
MIN_CORNER = 1e-3


def rotation_from_vector(vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3) of rotation vectors (..., 3), smooth at zero (Rodrigues)."""
    squared = vectors.square().sum(dim=-1)[..., None, None]
    small = squared < 1e-8
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / angle.square())
    cross = cross_matrix(vectors)
    identity = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    return identity + sine * cross + cosine * (cross @ cross)


def cross_matrix(vectors: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that multiply like the cross product with vectors (..., 3)."""
    x, y, z = vectors.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def moved(cam_from_world: Tensor, motions: Tensor) -> Tensor:
    """Poses (..., 3, 4) after motions (..., 6) of the points seen: p becomes exp(w) p + v.

    Args:
        cam_from_world: (..., 3, 4).
        motions: rotation vector w in radians, then translation v.
    """
    turned = rotation_from_vector(motions[..., :3]) @ cam_from_world
    shift = torch.cat([torch.zeros_like(cam_from_world[..., :3]), motions[..., 3:, None]], dim=-1)
    return turned + shift


def three_point_pose(points_a: Tensor, points_b: Tensor) -> tuple[Tensor, Tensor]:
    """The rigid motion that brings three points closest to three others (Kabsch).

    Three points lie in a plane, and the best rotation takes plane to plane. What is left is an
    angle within it, which has a closed form: no singular value decomposition, whose gradient fails
    and which waits for the device.

    Args:
        points_a: (..., 3 points, 3).
        points_b: (..., 3 points, 3).

    Returns:
        a_from_b (..., 3, 4), and (...) bool, false where points are (nearly) on a line. These get
        the identity and no gradient.
    """
    valid = _is_triangle(points_a) & _is_triangle(points_b)
    fallback = torch.eye(3, dtype=points_a.dtype, device=points_a.device)
    points_a = torch.where(valid[..., None, None], points_a, fallback)
    points_b = torch.where(valid[..., None, None], points_b, fallback)
    axes_a, axes_b = _triangle_axes(points_a), _triangle_axes(points_b)
    center_a, center_b = points_a.mean(dim=-2), points_b.mean(dim=-2)
    flat_a = (points_a - center_a[..., None, :]) @ axes_a[..., :2]
    flat_b = (points_b - center_b[..., None, :]) @ axes_b[..., :2]
    product = flat_b.mT @ flat_a
    angle = torch.atan2(
        product[..., 0, 1] - product[..., 1, 0], product[..., 0, 0] + product[..., 1, 1]
    )
    zero = torch.zeros_like(angle)
    spin = rotation_from_vector(torch.stack([zero, zero, angle], dim=-1))
    rotation = axes_a @ spin @ axes_b.mT
    translation = center_a - (rotation @ center_b[..., None])[..., 0]
    return torch.cat([rotation, translation[..., None]], dim=-1), valid


def _edges(points: Tensor) -> tuple[Tensor, Tensor]:
    return points[..., 1, :] - points[..., 0, :], points[..., 2, :] - points[..., 0, :]


def _is_triangle(points: Tensor) -> Tensor:
    first, second = _edges(points.detach())
    area = torch.linalg.cross(first, second).norm(dim=-1)
    third = (second - first).norm(dim=-1)
    longest = torch.maximum(torch.maximum(first.norm(dim=-1), second.norm(dim=-1)), third)
    return (area > MIN_CORNER * longest.square()) & torch.isfinite(area)


def _triangle_axes(points: Tensor) -> Tensor:
    """Orthonormal columns (..., 3, 3): along the first edge, across it in the plane, the normal."""
    first, second = _edges(points)
    x = first / first.norm(dim=-1, keepdim=True)
    normal = torch.linalg.cross(first, second)
    z = normal / normal.norm(dim=-1, keepdim=True)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)
