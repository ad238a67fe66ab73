"""Poses from three points and their viewing rays, batched and without a branch.

With unit rays f_i and depths l_i the law of cosines gives, for each pair of points,

    l^T M_ij l = l_i^2 + l_j^2 - 2 (f_i . f_j) l_i l_j = |X_i - X_j|^2.

Two combinations of these have no right side: cones l^T D_1 l = l^T D_2 l = 0. Some D_1 + g D_2 is
singular, a pair of planes, whose normals are found as those of a degenerate conic; each plane cuts
another cone of the pencil in two lines, four in all (Persson and Nordberg, "Lambda Twist", ECCV
2018; Ding et al., "Revisiting the P3P problem", CVPR 2023). Newton's method sharpens the depths.
"""

import torch
from torch import Tensor

from reloc.pose.ransac.motion import cross_matrix, three_point_pose

_FIRST, _SECOND = [0, 0, 1], [1, 2, 2]
# Largest error of a squared distance between two points, as a share of the sum of all three.
TOLERANCE = 1e-7
_TINY = 1e-300


def p3p(scene_coordinates: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Up to four poses that see three points on three rays; computed in float64.

    Args:
        scene_coordinates: (..., 3 points, 3), world frame.
        rays: (..., 3 points, 2) at z = 1.

    Returns:
        cam_from_world (..., 4, 3, 4) float64 and (..., 4) bool, which of them are solutions. The
        others hold the identity. No gradient.
    """
    with torch.no_grad():
        points = scene_coordinates.double()
        ones = torch.ones_like(rays[..., :1], dtype=torch.float64)
        bearings = torch.cat([rays.double(), ones], dim=-1)
        bearings = bearings / bearings.norm(dim=-1, keepdim=True)
        first, second = _pairs(points)
        squared = (first - second).square().sum(dim=-1)
        size = squared.sum(dim=-1, keepdim=True).clamp(min=_TINY)
        squared = squared / size
        first, second = _pairs(bearings)
        forms = _law_of_cosines((first * second).sum(dim=-1))
        depths = _sharpened(_depth_ratios(forms, squared), forms, squared)
        misfit = (_values(forms, depths) - squared[..., None, :]).abs().amax(dim=-1)
        solved = (depths > 0).all(dim=-1) & (misfit < TOLERANCE)
        depths = torch.where(solved[..., None], depths, torch.ones_like(depths))
        metric = depths * size[..., None].sqrt()
        seen = bearings[..., None, :, :] * metric[..., None]
        poses, valid = three_point_pose(seen, points[..., None, :, :].expand_as(seen))
        return poses, valid & solved


def _pairs(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the second of each pair of three rows (..., 3, C)."""
    # Not by a list as index, which would be copied to the device.
    first, second = (
        torch.stack([rows[..., row, :] for row in side], dim=-2) for side in (_FIRST, _SECOND)
    )
    return first, second


def _law_of_cosines(cosines: Tensor) -> Tensor:
    """The forms M (..., 3 pairs, 3, 3) of cosines (..., 3 pairs)."""
    squares = cosines.new_zeros(3, 3, 3)
    products = cosines.new_zeros(3, 3, 3)
    for pair, (i, j) in enumerate(zip(_FIRST, _SECOND, strict=True)):
        squares[pair, i, i] = squares[pair, j, j] = 1.0
        products[pair, i, j] = products[pair, j, i] = -1.0
    return squares + cosines[..., None, None] * products


def _depth_ratios(forms: Tensor, squared: Tensor) -> Tensor:
    """Depths (..., 4, 3) up to errors of rounding, scaled to the triangle."""
    a01, a02, a12 = (squared[..., k, None, None] for k in range(3))
    m01, m02, m12 = forms.unbind(dim=-3)
    cone_1, cone_2 = a12 * m01 - a01 * m12, a12 * m02 - a02 * m12
    planes, cone = _singular_member(cone_1, cone_2)
    normals = _pair_of_planes(planes)
    u, v = _spanning(normals)
    uu, uv, vv = (_form(cone[..., None, :, :], x, y) for x, y in ((u, u), (u, v), (v, v)))
    root = (uv.square() - uu * vv).clamp(min=0).sqrt()
    mixed = -(uv + torch.where(uv < 0, -root, root))
    # The two lines s u + t v without a division: (s : t) = (mixed : uu) and (vv : mixed).
    lines = torch.stack(
        [mixed[..., None] * u + uu[..., None] * v, vv[..., None] * u + mixed[..., None] * v], dim=-2
    ).flatten(-3, -2)
    lines = torch.where(lines.sum(dim=-1, keepdim=True) < 0, -lines, lines)
    whole = _form(forms.sum(dim=-3)[..., None, :, :], lines, lines)
    return lines * whole.clamp(min=_TINY)[..., None].rsqrt()


def _singular_member(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """A singular a + g b, and the member of the pencil that is least like it."""
    det_a, det_b = _determinant(a), _determinant(b)
    swap = det_b.abs() < det_a.abs()
    a, b = (torch.where(swap[..., None, None], x, y) for x, y in ((b, a), (a, b)))
    adj_a, adj_b = _adjugate(a), _adjugate(b)
    # det(a + g b), divided by det b, which is the larger one.
    leading = _nonzero((adj_b * b).sum(dim=(-2, -1)) / 3)
    g = _real_root(
        (adj_b * a).sum(dim=(-2, -1)) / leading,
        (adj_a * b).sum(dim=(-2, -1)) / leading,
        (adj_a * a).sum(dim=(-2, -1)) / 3 / leading,
    )[..., None, None]
    singular = a + g * b
    along_a = (singular * a).sum(dim=(-2, -1), keepdim=True)
    along_b = (singular * b).sum(dim=(-2, -1), keepdim=True)
    return singular, along_b * a - along_a * b


def _real_root(c2: Tensor, c1: Tensor, c0: Tensor) -> Tensor:
    """A real root of x^3 + c2 x^2 + c1 x + c0, in closed form and then by Newton's method."""
    p, q = c1 - c2.square() / 3, 2 * c2**3 / 27 - c2 * c1 / 3 + c0
    inside = q.square() / 4 + p**3 / 27
    half = -q / 2 - torch.where(q < 0, -1.0, 1.0) * inside.clamp(min=0).sqrt()
    cube = half.sign() * half.abs().pow(1 / 3)
    single = cube - p / 3 / _nonzero(cube)
    # Three real roots: the one furthest from their mean, which is well apart from the others.
    radius = (-p / 3).clamp(min=0).sqrt()
    cosine = (-q / 2 / _nonzero(radius**3)).clamp(-1, 1)
    side = torch.where(cosine < 0, -1.0, 1.0)
    triple = side * 2 * radius * torch.cos(torch.acos(cosine.abs()) / 3)
    x = torch.where(inside > 0, single, triple) - c2 / 3
    for _ in range(3):
        value = ((x + c2) * x + c1) * x + c0
        x = x - value / _nonzero((3 * x + 2 * c2) * x + c1)
    return x


def _pair_of_planes(singular: Tensor) -> Tensor:
    """Normals (..., 2, 3) of the planes that a singular form (..., 3, 3) consists of.

    It is l m^T + m l^T for normals l, m; the cross matrix of m x l, which its adjugate tells up to
    the sign, is l m^T - m l^T, so that the sum has rank one and holds both.
    """
    minus = -_adjugate(singular)
    diagonal, largest = minus.diagonal(dim1=-2, dim2=-1).max(dim=-1)
    column = minus.gather(-1, largest[..., None, None].expand(*largest.shape, 3, 1))[..., 0]
    crossing = column / _nonzero(diagonal.clamp(min=0).sqrt())[..., None]
    rank_one = singular + cross_matrix(crossing)
    _, where = rank_one.abs().flatten(-2).max(dim=-1)
    row = (where // 3)[..., None, None].expand(*where.shape, 1, 3)
    col = (where % 3)[..., None, None].expand(*where.shape, 3, 1)
    normals = torch.stack(
        [rank_one.gather(-2, row)[..., 0, :], rank_one.gather(-1, col)[..., 0]], -2
    )
    return normals / normals.norm(dim=-1, keepdim=True).clamp(min=_TINY)


def _spanning(normals: Tensor) -> tuple[Tensor, Tensor]:
    """Two directions (..., 3) that span the plane with a unit normal (..., 3)."""
    axis = torch.nn.functional.one_hot(normals.abs().argmin(dim=-1), 3).to(normals)
    u = torch.linalg.cross(normals, axis)
    u = u / u.norm(dim=-1, keepdim=True).clamp(min=_TINY)
    return u, torch.linalg.cross(normals, u)


def _sharpened(depths: Tensor, forms: Tensor, squared: Tensor) -> Tensor:
    """Newton's method on the three laws of cosines, for depths (..., 4, 3)."""
    for _ in range(3):
        slopes = 2 * (forms[..., None, :, :, :] @ depths[..., None, :, None])[..., 0]
        error = _values(forms, depths) - squared[..., None, :]
        inverse = _adjugate(slopes) / _nonzero(_determinant(slopes))[..., None, None]
        depths = torch.nan_to_num(depths - (inverse @ error[..., None])[..., 0])
    return depths


def _values(forms: Tensor, depths: Tensor) -> Tensor:
    """l^T M l (..., 4, 3 pairs) of depths (..., 4, 3)."""
    return _form(forms[..., None, :, :, :], depths[..., None, :], depths[..., None, :])


def _form(matrix: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return (x * (matrix @ y[..., None])[..., 0]).sum(dim=-1)


def _adjugate(matrix: Tensor) -> Tensor:
    """The transposed cofactors of matrices (..., 3, 3)."""
    r0, r1, r2 = matrix.unbind(dim=-2)
    cross = torch.linalg.cross
    return torch.stack([cross(r1, r2), cross(r2, r0), cross(r0, r1)], dim=-1)


def _determinant(matrix: Tensor) -> Tensor:
    r0, r1, r2 = matrix.unbind(dim=-2)
    return (r0 * torch.linalg.cross(r1, r2)).sum(dim=-1)


def _nonzero(x: Tensor) -> Tensor:
    """A divisor: zero becomes tiny, so that a degenerate set ends as one without a solution."""
    return torch.where(x.abs() < 1e-150, torch.full_like(x, 1e-150), x)
