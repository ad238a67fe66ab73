"""Casting rays from one point into a world: which face each meets first, and how far off.

Every solid is tested against the rays that can meet it, found from the bounds of its corners, so
that the cost follows what is in view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.synthetic.world import FACES, Solid, World

Array = NDArray[np.float64]

_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_EDGES = np.array([[a, b] for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1])
_NEAR = 0.02
# A ray that ends on a surface is not stopped by that surface.
_END = 0.999
_ALL = slice(None), slice(None)


@dataclass(frozen=True)
class Hits:
    """What rays met, in the shape of the rays.

    Attributes:
        t: multiples of the direction to the surface, float32; infinite where nothing was met.
        face: number of the solid times ``FACES`` plus the face, int32; -1 where nothing was met.
    """

    t: Tensor
    face: Tensor


class RayGrid:
    """The rays of an image, (x, y, 1) in the camera frame, with bounds per row and column.

    Args:
        x: (H, W) float64; NaN where a pixel has no ray.
        y: (H, W) float64.
    """

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y = x, y
        # fmin and fmax pass over NaN, and say nothing where there is nothing else.
        self._columns = np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0)
        self._rows = np.fmin.reduce(y, axis=1), np.fmax.reduce(y, axis=1)

    def directions(self, rotation: Array, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Components (H, W) float32 of all ray directions after a rotation (3, 3)."""
        x, y = (torch.from_numpy(a.astype(np.float32)).to(device) for a in (self.x, self.y))
        r = rotation.tolist()
        return tuple(x * row[0] + y * row[1] + row[2] for row in r)

    def window(self, solid: Solid, world_from_cam: Array) -> tuple[slice, slice] | None:
        """Rows and columns whose rays can meet a solid, or None if it is out of view."""
        corners = (_CORNERS * solid.half) @ solid.rotation.T + solid.center
        corners = (corners - world_from_cam[:3, 3]) @ world_from_cam[:3, :3]
        if corners[:, 2].max() <= _NEAR:
            return None
        if corners[:, 2].min() <= _NEAR:
            a, b = corners[_EDGES[:, 0]], corners[_EDGES[:, 1]]
            crossing = (a[:, 2] > _NEAR) != (b[:, 2] > _NEAR)
            a, b = a[crossing], b[crossing]
            share = (_NEAR - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
            corners = np.concatenate([corners[corners[:, 2] > _NEAR], a + share * (b - a)])
        rays = corners[:, :2] / corners[:, 2:]
        (x0, y0), (x1, y1) = rays.min(axis=0), rays.max(axis=0)
        columns = np.flatnonzero((self._columns[1] >= x0) & (self._columns[0] <= x1))
        rows = np.flatnonzero((self._rows[1] >= y0) & (self._rows[0] <= y1))
        if not len(columns) or not len(rows):
            return None
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def cast_image(world: World, grid: RayGrid, world_from_cam: Array, device: torch.device) -> Hits:
    """What each ray of an image meets first; ``t`` is then the depth along the optical axis."""
    bundle = _Bundle(world_from_cam[:3, 3], grid.directions(world_from_cam[:3, :3], device))
    for number, solid in enumerate(world.solids):
        window = grid.window(solid, world_from_cam)
        if window is not None:
            bundle.meet(number, solid, window)
    return Hits(bundle.t, bundle.face)


def occluded(solids: Sequence[Solid], origin: Array, points: Tensor) -> Tensor:
    """Whether (N,) a solid stands between an origin (3,) and points (N, 3) float32."""
    start = torch.as_tensor(origin, dtype=torch.float32, device=points.device)
    x, y, z = (points - start).T.contiguous()[:, None].unbind()
    bundle = _Bundle(origin, (x, y, z))
    for solid in solids:
        bundle.shadow(solid)
    return bundle.shadowed[0]


class _Bundle:
    """Rays from one origin: the nearest hit of each so far, and whether anything stops it."""

    def __init__(self, origin: Array, directions: tuple[Tensor, Tensor, Tensor]) -> None:
        self._origin, self._directions = origin, directions
        self._square: list[Tensor] | None = None
        self.t = torch.full_like(directions[0], torch.inf)
        self.face = torch.full_like(directions[0], -1, dtype=torch.int32)
        self.shadowed = torch.zeros_like(directions[0], dtype=torch.bool)

    def meet(self, number: int, solid: Solid, window: tuple[slice, slice]) -> None:
        """Tests one solid against a window of the rays."""
        t, local_face = self._met(solid, window)
        closer = t < self.t[window]
        self.t[window] = torch.where(closer, t, self.t[window])
        self.face[window] = torch.where(closer, local_face + number * FACES, self.face[window])

    def shadow(self, solid: Solid) -> None:
        """Marks the rays that a solid stops before their end, at t = 1."""
        if solid.shape == "box":
            origin = (self._origin - solid.center) @ solid.rotation
            low, high = _slabs(origin, solid.half, self._inverses(solid.rotation, _ALL))
            near, far = _largest(low), _smallest(high)
            self.shadowed |= (near <= far) & (near > 0) & (near < _END)
        else:
            self.shadowed |= self._met(solid, _ALL)[0] < _END

    def _met(self, solid: Solid, window: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
        """Where a window of the rays meets a solid: t, infinite for a miss, and the local face."""
        origin = (self._origin - solid.center) @ solid.rotation
        if solid.shape in ("box", "room"):
            inverses = self._inverses(solid.rotation, window)
            return _meet_box(origin, solid.half, inverses, solid.shape == "room")
        directions = self._turned(solid.rotation, window)
        scaled = [d / h for d, h in zip(directions, solid.half.tolist(), strict=True)]
        meet = _meet_cylinder if solid.shape == "cylinder" else _meet_sphere
        return meet(origin / solid.half, scaled)

    def _turned(self, rotation: Array, window: tuple[slice, slice]) -> list[Tensor]:
        """Directions of a window of the rays in a solid's frame."""
        x, y, z = (d[window] for d in self._directions)
        return [x * c[0] + y * c[1] + z * c[2] for c in rotation.T.tolist()]

    def _inverses(self, rotation: Array, window: tuple[slice, slice]) -> list[Tensor]:
        """Inverses of the directions; most solids stand square to the room and share them."""
        largest = np.abs(rotation).argmax(axis=0)
        signs = rotation[largest, range(3)]
        if np.abs(signs).min() < 1 - 1e-12:
            return [d.reciprocal() for d in self._turned(rotation, window)]
        if self._square is None:
            self._square = [d.reciprocal() for d in self._directions]
        return [
            self._square[axis][window] * float(sign)
            for axis, sign in zip(largest, signs, strict=True)
        ]


def _slabs(origin: Array, half: Array, inverses: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Where rays enter and leave the space between each pair of a box's planes."""
    low, high = [], []
    for o, h, inverse in zip(origin.tolist(), half.tolist(), inverses, strict=True):
        a, b = inverse * (-h - o), inverse * (h - o)
        low.append(torch.minimum(a, b))
        high.append(torch.maximum(a, b))
    return low, high


def _largest(x: list[Tensor]) -> Tensor:
    return torch.maximum(torch.maximum(x[0], x[1]), x[2])


def _smallest(x: list[Tensor]) -> Tensor:
    return torch.minimum(torch.minimum(x[0], x[1]), x[2])


def _meet_box(
    origin: Array, half: Array, inverses: list[Tensor], from_inside: bool
) -> tuple[Tensor, Tensor]:
    """Slab test; t is infinite for a miss, the face is that of the slab that decides."""
    low, high = _slabs(origin, half, inverses)
    far = _smallest(high)
    int32 = torch.int32
    if from_inside:
        axis_y, axis_z = far == high[1], far == high[2]
        face = torch.where(axis_y, 2, 0) + (inverses[0] > 0).to(int32)
        face = torch.where(axis_y, 2 + (inverses[1] > 0).to(int32), face)
        return far, torch.where(axis_z, 4 + (inverses[2] > 0).to(int32), face)
    near = _largest(low)
    t = torch.where((near <= far) & (near > 0), near, torch.inf)
    # Only the side that faces the origin can be entered, so the face follows from the slab alone.
    x, y, z = (2 * axis + int(origin[axis] > 0) for axis in range(3))
    face = torch.where(near == low[0], x, torch.where(near == low[1], y, z)).to(int32)
    return t, face


def _meet_cylinder(origin: Array, d: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The unit cylinder about z from -1 to 1: its side, and the cap that faces the origin."""
    ox, oy, oz = origin.tolist()
    a = d[0] * d[0] + d[1] * d[1]
    b = d[0] * ox + d[1] * oy
    discriminant = b * b - a * (ox * ox + oy * oy - 1)
    side = (-b - discriminant.clamp(min=0).sqrt()) / a
    on_side = (discriminant >= 0) & (side > 0) & ((side * d[2] + oz).abs() <= 1)
    sign = 1.0 if oz > 0 else -1.0
    cap = (sign - oz) / d[2]
    on_cap = (cap > 0) & ((cap * d[0] + ox) ** 2 + (cap * d[1] + oy) ** 2 <= 1) & (abs(oz) > 1)
    t = torch.where(on_side, side, torch.inf)
    cap = torch.where(on_cap, cap, torch.inf)
    return torch.minimum(t, cap), torch.where(cap < t, 5 if sign > 0 else 4, 0).to(torch.int32)


def _meet_sphere(origin: Array, d: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The unit sphere, from outside."""
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = d[0] * float(origin[0]) + d[1] * float(origin[1]) + d[2] * float(origin[2])
    discriminant = b * b - a * float(origin @ origin - 1)
    t = (-b - discriminant.clamp(min=0).sqrt()) / a
    t = torch.where((discriminant >= 0) & (t > 0), t, torch.inf)
    return t, torch.zeros_like(t, dtype=torch.int32)
