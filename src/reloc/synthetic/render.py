"""Rendering views of a baked world: what each ray meets, its colour under the lamps, its depth."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.geometry import Camera
from reloc.synthetic.bake import LEVELS, Baked
from reloc.synthetic.cast import Hits, RayGrid, cast_image
from reloc.synthetic.photo import Conditions, develop
from reloc.synthetic.world import FACES

Array = NDArray[np.float64]
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Rendering:
    """One view.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the optical axis at the pixel's centre; infinite where
            a pixel has no ray.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]


def render(
    baked: Baked,
    camera: Camera,
    world_from_cam: Array,
    *,
    conditions: Conditions,
    antialias: int = 2,
) -> Rendering:
    """Renders one view.

    Args:
        baked: the world.
        camera: of any model.
        world_from_cam: (4, 4), inside the room.
        conditions: light, exposure, blur and noise; they hold the seed of the noise.
        antialias: rays per pixel along each axis.
    """
    depth = cast_image(baked.world, ray_grid(camera, 1), world_from_cam, baked.device).t
    grid = ray_grid(camera, antialias)
    hits = cast_image(baked.world, grid, world_from_cam, baked.device)
    linear = _shaded(baked, grid, hits, world_from_cam, camera.focal * antialias, conditions)
    linear = linear.reshape(camera.height, antialias, camera.width, antialias, 3).mean(dim=(1, 3))
    return Rendering(develop(linear.cpu().numpy(), conditions), depth.cpu().numpy())


def render_depth(baked: Baked, camera: Camera, world_from_cam: Array) -> NDArray[np.float32]:
    """The depth of ``render`` (H, W) alone."""
    grid = ray_grid(camera, 1)
    return cast_image(baked.world, grid, world_from_cam, baked.device).t.cpu().numpy()


def ray_grid(camera: Camera, samples: int) -> RayGrid:
    """Rays through an evenly spaced grid of ``samples`` x ``samples`` points in every pixel."""
    u = (np.arange(camera.width * samples) + 0.5) / samples
    v = (np.arange(camera.height * samples) + 0.5) / samples
    pixels = np.stack(np.meshgrid(u, v), axis=-1)
    rays = camera.rays(pixels.reshape(-1, 2)).reshape(pixels.shape)
    return RayGrid(rays[..., 0], rays[..., 1])


def _shaded(
    baked: Baked, grid: RayGrid, hits: Hits, pose: Array, focal: float, conditions: Conditions
) -> Tensor:
    """Linear colour (N, 3) of all hits, row by row."""
    weights = torch.tensor(conditions.lamps[: len(baked.world.lamps)], dtype=torch.float32)
    weights = (
        weights * torch.tensor([lamp.colour for lamp in baked.world.lamps], dtype=torch.float32).T
    )
    lumels = baked.lumels @ weights.T.to(baked.device)
    directions = [d.reshape(-1) for d in grid.directions(pose[:3, :3], baked.device)]
    depth, faces = hits.t.reshape(-1), hits.face.reshape(-1)
    result = torch.empty((len(depth), 3), device=baked.device)
    eye = pose[:3, 3].tolist()
    chunk = _CHUNK if baked.device.type == "cpu" else len(depth)
    for start in range(0, len(depth), chunk):
        part = slice(start, start + chunk)
        t, face = depth[part], faces[part].long()
        missed = face < 0
        face, t = face.clamp(min=0), torch.where(missed, 1.0, t)
        ray = torch.stack([d[part] for d in directions], dim=1)
        point = ray * t[:, None] + torch.tensor(eye, device=baked.device)
        u, v, facing = _face_coordinates(baked, face, point, ray)
        colour = _painting(baked, face, u, v, t / focal / facing.clamp(min=0.05).sqrt())
        light = _light(baked, lumels, face, u, v)
        light = light + baked.glow[face][:, None]
        result[part] = torch.where(missed[:, None], 0.0, colour * light)
    return result


def _face_coordinates(
    baked: Baked, face: Tensor, point: Tensor, ray: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """u, v in metres of world points on their faces, and the cosine between ray and normal."""
    plane = baked.planes[face]
    u = (plane[:, :3] * point).sum(dim=1) + plane[:, 3]
    v = (plane[:, 4:7] * point).sum(dim=1) + plane[:, 7]
    length = (ray * ray).sum(dim=1).sqrt()
    facing = (baked.normals[face] * ray).sum(dim=1).abs() / length
    round_ = torch.nonzero(plane[:, 8])[:, 0]
    if len(round_):
        row = baked.solids[face[round_] // FACES]
        half, rotation = row[:, 3:6], row[:, 6:].reshape(-1, 3, 3)
        unit = torch.einsum("ni,nij->nj", point[round_] - row[:, :3], rotation) / half
        turn = torch.atan2(unit[:, 1], unit[:, 0]) + np.pi
        u[round_] = turn * half[:, :2].mean(dim=1)
        sphere = baked.planes[face[round_] + 4, :8].abs().sum(dim=1) == 0
        tilt = torch.acos(unit[:, 2].clamp(-1, 1)) * half[:, 2]
        v[round_] = torch.where(sphere, tilt, (1 - unit[:, 2]) * half[:, 2])
        facing[round_] = 0.7
    return u, v, facing


def _bilinear(u: Tensor, v: Tensor, box: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Indices of the four neighbours of grid positions, and the fractions between them.

    Args:
        u: (N,) columns, cell centres at +0.5.
        v: (N,) rows.
        box: (N, 3) int64: start, width, height of each one's grid.
    """
    start, width, height = box.unbind(dim=1)
    u, v = u - 0.5, v - 0.5
    column, row = u.floor(), v.floor()
    x0, y0 = column.long(), row.long()
    right, bottom = width - 1, height - 1
    zero = torch.zeros_like(width)
    x1 = torch.minimum((x0 + 1).clamp(min=0), right)
    y1 = torch.minimum((y0 + 1).clamp(min=0), bottom)
    x0, y0 = torch.clamp(x0, zero, right), torch.clamp(y0, zero, bottom)
    top, low = start + y0 * width, start + y1 * width
    return [top + x0, top + x1, low + x0, low + x1], u - column, v - row


def _painting(baked: Baked, face: Tensor, u: Tensor, v: Tensor, footprint: Tensor) -> Tensor:
    """Linear albedo (N, 3) at face coordinates, from the mip level that fits the footprint."""
    texel = baked.texel[face]
    level = torch.log2(footprint / texel).round().clamp(0, LEVELS - 1)
    box = baked.levels[face * LEVELS + level.long()]
    scale = 1 / (texel * 2**level)
    at, fu, fv = _bilinear(u * scale, v * scale, box)
    a, b, c, d = (baked.texels[i] for i in at)
    # Grain finer than texels keeps near surfaces from going soft; far away it averages out.
    size = baked.grain.shape[0]
    cell = ((u * 900).long() % size) * size + (v * 900 + face * 37).long() % size
    grain = baked.grain.reshape(-1)[cell] * (0.03 * (0.003 / footprint).clamp(max=1))
    channels = []
    for shift in (0, 8, 16):
        w, x, y, z = (((i >> shift) & 255).float() for i in (a, b, c, d))
        top, low = torch.lerp(w, x, fu), torch.lerp(y, z, fu)
        value = torch.lerp(top, low, fv) * (1 / 255) + grain
        channels.append(value * value)
    return torch.stack(channels, dim=1)


def _light(baked: Baked, lumels: Tensor, face: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Light (N, 3) at face coordinates."""
    size = baked.lumel[face]
    at, fu, fv = _bilinear(u / size[:, 0], v / size[:, 1], baked.light_grid[face])
    a, b, c, d = (lumels[i] for i in at)
    top, low = torch.lerp(a, b, fu[:, None]), torch.lerp(c, d, fu[:, None])
    return torch.lerp(top, low, fv[:, None])
