"""A world to be photographed: solids with materials, and the lamps that light them.

Metres, z up. The room's floor is z = 0 and one of its corners the origin. A solid has up to six
faces, numbered -x, +x, -y, +y, -z, +z in its own frame; the side of a cylinder and the whole of a
sphere are face 0. Every face carries its own painting with (u, v) in metres from its top left
corner, as seen by someone who looks at it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Color = tuple[float, float, float]
FACES = 6


@dataclass(frozen=True)
class Material:
    """What a face is painted with: a painter of ``materials`` and its main colour (RGB, 0 to 1)."""

    kind: str
    color: Color = (0.7, 0.7, 0.7)


@dataclass(frozen=True)
class Solid:
    """One solid.

    Attributes:
        shape: ``box``; ``cylinder`` about its local z; ``sphere``; ``room``, a box from inside.
        center: (3,) in the world.
        half: (3,) half sizes along the local axes.
        rotation: (3, 3) ``world_from_local``.
        materials: six, one per face in the order of the module's docstring.
        seed: of its paintings.
        glow: light it gives off by itself, in units of white under the room's usual light. Glowing
            solids cast no shadow.
    """

    shape: Literal["box", "cylinder", "sphere", "room"]
    center: Array
    half: Array
    rotation: Array
    materials: tuple[Material, ...]
    seed: int
    glow: float = 0.0

    def faces(self) -> tuple[int, ...]:
        """The numbers of the faces that the shape has."""
        return {"cylinder": (0, 4, 5), "sphere": (0,)}.get(self.shape, tuple(range(FACES)))

    def local(self, points: ArrayLike) -> Array:
        """World points (N, 3) in the solid's frame."""
        return (np.asarray(points, np.float64) - self.center) @ self.rotation

    def distance(self, points: ArrayLike) -> Array:
        """Distances (N,) of world points (N, 3) to the surface, at most that to its bounding box.

        Negative inside of a solid and, for the room, outside of it.
        """
        q = np.abs(self.local(points)) - self.half
        outside = np.linalg.norm(np.maximum(q, 0.0), axis=1)
        signed = outside + np.minimum(q.max(axis=1), 0.0)
        return -signed if self.shape == "room" else signed


@dataclass(frozen=True)
class FaceFrame:
    """Where a flat face lies in its solid's frame: top left corner, unit axes, size in metres."""

    corner: Array
    right: Array
    down: Array
    normal: Array
    size: tuple[float, float]


def face_frame(solid: Solid, face: int) -> FaceFrame:
    """The frame of a flat face, ``right`` and ``down`` as seen by who looks at it.

    For the round faces (side of a cylinder, sphere) only ``size`` means anything: the unrolled
    width and height.
    """
    half = solid.half
    if solid.shape == "sphere" or (solid.shape == "cylinder" and face == 0):
        radius = float(half[:2].mean())
        height = 2 * half[2] if solid.shape == "cylinder" else np.pi * half[2]
        zero = np.zeros(3)
        return FaceFrame(zero, zero, zero, zero, (2 * np.pi * radius, float(height)))
    axis, sign = face // 2, 1.0 if face % 2 else -1.0
    unit = np.eye(3)
    right = (sign * unit[1], -sign * unit[0], sign * unit[0])[axis]
    down = -unit[1] if axis == 2 else -unit[2]
    outward = sign * unit[axis]
    normal = outward
    if solid.shape == "room":
        right, normal = -right, -outward
    width, height = 2 * float(np.abs(right) @ half), 2 * float(np.abs(down) @ half)
    corner = outward * half - right * width / 2 - down * height / 2
    return FaceFrame(corner, right, down, normal, (width, height))


def face_points(solid: Solid, face: int, u: Array, v: Array) -> tuple[Array, Array]:
    """World points and unit normals (N, 3) at face coordinates u, v (N,) in metres."""
    frame = face_frame(solid, face)
    if frame.normal.any():
        local = frame.corner + u[:, None] * frame.right + v[:, None] * frame.down
        normal = np.broadcast_to(frame.normal, local.shape)
    else:
        turn = u / frame.size[0] * 2 * np.pi - np.pi
        if solid.shape == "cylinder":
            ring, z = np.ones_like(turn), 1 - 2 * v / frame.size[1]
        else:
            tilt = v / frame.size[1] * np.pi
            ring, z = np.sin(tilt), np.cos(tilt)
        on_unit = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)
        local = on_unit * solid.half
        flat = (1, 1, 0) if solid.shape == "cylinder" else (1, 1, 1)
        normal = on_unit * flat / solid.half
        normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return local @ solid.rotation.T + solid.center, normal @ solid.rotation.T


@dataclass(frozen=True)
class Lamp:
    """A source of light: points (K, 3) that share its power, and its colour (RGB about 1)."""

    points: Array
    color: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class World:
    """A room with everything in it; ``solids[0]`` is the room itself.

    Attributes:
        solids: the room and its contents.
        lamps: what lights it; the first is diffuse light from everywhere.
        seed: what it was made from.
    """

    solids: tuple[Solid, ...]
    lamps: tuple[Lamp, ...]
    seed: int

    @property
    def size(self) -> Array:
        """Length, width and height (3,) of the room in metres."""
        return 2 * self.solids[0].half

    def clearance(self, points: ArrayLike) -> Array:
        """Distances (N,) of points (N, 3) to the nearest surface; negative inside something."""
        points = np.asarray(points, np.float64)
        centers, halves, rotations = self._stacked
        local = np.einsum("snk,ski->sni", points[None] - centers[:, None], rotations)
        q = np.abs(local) - halves[:, None]
        inside = np.minimum(q.max(axis=2), 0.0)
        signed = np.sqrt((np.maximum(q, 0.0) ** 2).sum(axis=2)) + inside
        signed[0] *= -1
        return signed.min(axis=0)

    @cached_property
    def _stacked(self) -> tuple[Array, Array, Array]:
        """Centres (S, 3), half sizes (S, 3) and rotations (S, 3, 3) of the solids."""
        parts = ("center", "half", "rotation")
        centers, halves, rotations = (
            np.array([getattr(solid, part) for solid in self.solids]) for part in parts
        )
        return centers, halves, rotations
