"""Baking: everything about a world that does not depend on the view, as tensors to look up.

Each face gets its painting with mip levels, and a coarse grid of the light that falls on it from
every lamp with shadows, so that a view costs one look-up each per ray and lamps can be dimmed from
view to view.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.synthetic.cast import occluded
from reloc.synthetic.materials import GLOSS, paint
from reloc.synthetic.world import FACES, Solid, World, face_frame, face_points

Array = NDArray[np.float64]
LEVELS = 7
# Two square metres at 2 mm: a larger painting is kept coarser so that a hall still fits.
_MAX_TEXELS = 4_000_000
# Square metres below which painting a face costs less than finding out that nobody sees it.
_SMALL = 0.02


@dataclass(frozen=True)
class Baked:
    """A world ready to be rendered; F is the number of solids times ``FACES``.

    Attributes:
        world: what was baked.
        device: where the tensors are.
        planes: (F, 9) float32: u = p . [0:3] + [3], v = p . [4:7] + [7] in metres for flat faces at
            world point p; [8] is 1 for round ones.
        normals: (F, 3) float32 of flat faces.
        solids: (F / FACES, 15) float32: centre, half size, rotation of each solid.
        texels: (T,) int32, paintings and their mip levels, packed as 0x00BBGGRR.
        levels: (F * LEVELS, 3) int64: start, width, height of each in ``texels``.
        texel: (F,) float32, metres per texel of the finest level.
        lumels: (M, lamps) float32, light of each lamp.
        light_grid: (F, 3) int64: start, width, height of each face in ``lumels``.
        lumel: (F, 2) float32, metres per lumel along u and v.
        glow: (F,) float32.
        gloss: (F,) float32, share of a lamp's light in the highlight of flat faces.
        grain: (G, G) float32 of unit deviation, detail finer than texels.
    """

    world: World
    device: torch.device
    planes: Tensor
    normals: Tensor
    solids: Tensor
    texels: Tensor
    levels: Tensor
    texel: Tensor
    lumels: Tensor
    light_grid: Tensor
    lumel: Tensor
    glow: Tensor
    gloss: Tensor
    grain: Tensor


def bake(
    world: World, *, texel: float = 0.004, lumel: float = 0.07, device: str | torch.device = "cpu"
) -> Baked:
    """Paints and lights a world.

    Args:
        world: what to bake.
        texel: metres per texel of the paintings.
        lumel: metres between the points where light is worked out.
        device: where the result is to be used.
    """
    count = len(world.solids) * FACES
    planes, normals = np.zeros((count, 9)), np.zeros((count, 3))
    levels = np.ones((count, LEVELS, 3), np.int64)
    levels[..., 0] = 0
    sizes = np.full(count, texel)
    texels: list[NDArray[np.int32]] = []
    start = 0
    centers = np.array([s.center for s in world.solids])
    reach = np.array([np.linalg.norm(s.half) for s in world.solids])
    for number, solid in enumerate(world.solids):
        for face in solid.faces():
            row = number * FACES + face
            frame = face_frame(solid, face)
            if frame.normal.any():
                right, down = solid.rotation @ frame.right, solid.rotation @ frame.down
                corner = solid.rotation @ frame.corner + solid.center
                planes[row, :8] = (*right, -right @ corner, *down, -down @ corner)
                normals[row] = solid.rotation @ frame.normal
            else:
                planes[row, 8] = 1
            width, height = frame.size
            hidden = _hidden(world, solid, face, centers, reach)
            fine = max(texel, float(np.sqrt(width * height / _MAX_TEXELS)))
            sizes[row] = fine
            shape = (
                (1, 1) if hidden else (max(2, round(height / fine)), max(2, round(width / fine)))
            )
            seed = (solid.seed + face) % 2**63
            image = paint(solid.materials[face], seed, shape, fine)
            for level in range(LEVELS):
                if level and min(image.shape[:2]) >= 2:
                    half = image.shape[1] // 2, image.shape[0] // 2
                    image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
                elif level:
                    levels[row, level] = levels[row, level - 1]
                    continue
                levels[row, level] = start, image.shape[1], image.shape[0]
                red, green, blue = cv2.split(image.astype(np.int32))
                texels.append((red | green << 8 | blue << 16).ravel())
                start += texels[-1].size
    lumels, light_grid, lumel_size = _light(world, lumel, torch.device(device))
    grain = np.random.default_rng(world.seed).normal(0, 1, (512, 512))
    grain = grain + 4 * cv2.GaussianBlur(grain, (0, 0), 1.5)

    def tensor(values: NDArray[np.generic] | list[float], kind: torch.dtype) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=kind, device=device)

    kinds = [material.kind for solid in world.solids for material in solid.materials]
    rows = [np.concatenate([s.center, s.half, s.rotation.ravel()]) for s in world.solids]
    gloss = [0.0 if planes[n, 8] else GLOSS.get(kind, 0.0) for n, kind in enumerate(kinds)]
    glow = np.repeat([s.glow for s in world.solids], FACES)
    return Baked(
        world=world,
        device=torch.device(device),
        planes=tensor(planes, torch.float32),
        normals=tensor(normals, torch.float32),
        solids=tensor(np.array(rows), torch.float32),
        texels=tensor(np.concatenate(texels), torch.int32),
        levels=tensor(levels.reshape(-1, 3), torch.int64),
        texel=tensor(sizes, torch.float32),
        lumels=lumels,
        light_grid=tensor(light_grid, torch.int64),
        lumel=tensor(lumel_size, torch.float32),
        glow=tensor(glow, torch.float32),
        gloss=tensor(gloss, torch.float32),
        grain=tensor(grain / grain.std(), torch.float32),
    )


def _hidden(world: World, solid: Solid, face: int, centers: Array, reach: Array) -> bool:
    """Whether all of a face is outside of the room or inside of another solid.

    ``centers`` (N, 3) and ``reach`` (N,) are the bounding spheres of all solids.
    """
    frame = face_frame(solid, face)
    if solid.shape == "room" or not frame.normal.any() or np.prod(frame.size) < _SMALL:
        return False
    u, v = (g.ravel() for g in np.meshgrid([0.02, 0.5, 0.98], [0.02, 0.5, 0.98]))
    points, normals = face_points(solid, face, u * frame.size[0], v * frame.size[1])
    points = points + 0.004 * normals
    if (world.solids[0].distance(points) < 0).all():
        return True
    apart = np.linalg.norm(centers - points[4], axis=1)
    near = [world.solids[n] for n in np.flatnonzero(apart < reach)]
    return any(
        (other.distance(points) < 0).all()
        for other in near
        if other is not solid and other.shape == "box"
    )


def _casts(solid: Solid) -> bool:
    """Whether a solid is large enough for its shadow to show on the grid of the light."""
    return float(np.sort(solid.half)[1]) > 0.02


def _light(
    world: World, lumel: float, device: torch.device
) -> tuple[Tensor, NDArray[np.int64], Array]:
    """Light of every lamp on a grid over every face, scaled so that each lamp's mean is 1."""
    count = len(world.solids) * FACES
    grids, sizes = np.ones((count, 3), np.int64), np.ones((count, 2))
    grids[:, 0] = 0
    points, normals, start = [], [], 0
    for number, solid in enumerate(world.solids):
        for face in solid.faces():
            row = number * FACES + face
            size = face_frame(solid, face).size
            cells = [int(np.clip(round(s / lumel), 2, 200)) for s in size]
            sizes[row] = size[0] / cells[0], size[1] / cells[1]
            grids[row] = start, cells[0], cells[1]
            u, v = np.meshgrid(
                *((np.arange(n) + 0.5) * s for n, s in zip(cells, sizes[row], strict=True))
            )
            p, n = face_points(solid, face, u.ravel(), v.ravel())
            points.append(p + 0.01 * n)
            normals.append(n)
            start += len(p)
    where = torch.as_tensor(np.concatenate(points), dtype=torch.float32, device=device)
    facing = torch.as_tensor(np.concatenate(normals), dtype=torch.float32, device=device)
    casters = [s for s in world.solids if s.shape != "room" and not s.glow and _casts(s)]
    result = []
    for number, lamp in enumerate(world.lamps):
        total = torch.zeros(len(where), device=device)
        for point in lamp.points:
            towards = torch.as_tensor(point, dtype=torch.float32, device=device) - where
            square = (towards**2).sum(dim=1)
            cosine = (towards * facing).sum(dim=1) * square.clamp(min=1e-6).rsqrt()
            lit = ~occluded(casters, point, where)
            if number == 0:
                total += (0.35 + 0.65 * cosine.clamp(min=0) * 1.5) * (0.25 + 0.75 * lit)
            else:
                total += cosine.clamp(min=0) / (square + 0.6) * lit
        result.append(total / total.mean().clamp(min=1e-6))
    return torch.stack(result, dim=1), grids, sizes
