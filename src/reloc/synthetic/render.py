"""Rendering views of a baked world: what each ray meets, its colour under the lamps, its depth."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.geometry import Camera
from reloc.synthetic.bake import LEVELS, Baked
from reloc.synthetic.cast import RayGrid, cast_image
from reloc.synthetic.photo import Conditions, develop
from reloc.synthetic.world import FACES

Array = NDArray[np.float64]
_CHUNK = 1 << 15
_SHININESS = 30


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
        antialias: rays per pixel along each axis where a pixel holds several surfaces.
    """
    device, pixels = baked.device, camera.width * camera.height
    shade = _Shader(baked, world_from_cam, camera.focal, conditions)
    grid = ray_grid(camera, 1)
    hits = cast_image(baked.world, grid, world_from_cam, device)
    rays = _flat(grid, device)
    faces = hits.face.reshape(-1)
    linear = shade(rays, hits.t.reshape(-1), faces)
    if antialias > 1:
        fine_grid = ray_grid(camera, antialias)
        fine = cast_image(baked.world, fine_grid, world_from_cam, device)

        def by_pixel(values: Tensor) -> Tensor:
            """Samples (H antialias, W antialias, ...) as (pixels, antialias^2, ...)."""
            tail = values.shape[2:]
            blocks = values.reshape(camera.height, antialias, camera.width, antialias, *tail)
            return blocks.transpose(1, 2).reshape(pixels, antialias**2, *tail)

        samples = by_pixel(fine.face)
        several_faces = (samples != faces[:, None]).any(dim=1) & (faces >= 0)
        mixed = torch.nonzero(several_faces)[:, 0]
        fine_rays = by_pixel(_flat(fine_grid, device).reshape(*fine.face.shape, 2))[mixed]
        several = shade(
            fine_rays.reshape(-1, 2),
            by_pixel(fine.t)[mixed].reshape(-1),
            samples[mixed].reshape(-1),
        )
        linear[mixed] = several.reshape(len(mixed), antialias**2, 3).mean(dim=1)
    picture = linear.reshape(camera.height, camera.width, 3).cpu().numpy()
    return Rendering(develop(picture, conditions), hits.t.cpu().numpy())


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


def _flat(grid: RayGrid, device: torch.device) -> Tensor:
    """The rays (N, 2) float32 of a grid, row by row."""
    rays = np.stack([grid.x.ravel(), grid.y.ravel()], axis=1)
    return torch.from_numpy(rays.astype(np.float32)).to(device)


class _Shader:
    """Linear colours of what rays from one pose have met, under one picture's lamps."""

    def __init__(self, baked: Baked, pose: Array, focal: float, conditions: Conditions) -> None:
        strengths = np.array(conditions.lamps[: len(baked.world.lamps)])[:, None]
        colors = strengths * np.array([lamp.color for lamp in baked.world.lamps])
        self._baked, self._focal = baked, focal
        self._lumels = baked.lumels @ self._tensor(colors)
        # A highlight for every point that shines; the diffuse light of the first lamp has none.
        self._highlights = [
            (self._tensor(point), self._tensor(color / len(lamp.points)))
            for lamp, color in zip(baked.world.lamps[1:], colors[1:], strict=True)
            for point in lamp.points
        ]
        self._rotation, self._eye = self._tensor(pose[:3, :3].T), self._tensor(pose[:3, 3])

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._baked.device)

    def __call__(self, rays: Tensor, depth: Tensor, faces: Tensor) -> Tensor:
        """Colours (N, 3) of rays (N, 2) that met faces (N,) at a depth (N,)."""
        # Chunks that stay in a CPU's cache; a GPU takes everything at once.
        size = _CHUNK if self._baked.device.type == "cpu" else max(1, len(rays))
        parts = zip(rays.split(size), depth.split(size), faces.split(size), strict=True)
        return torch.cat([self._part(*part) for part in parts])

    def _part(self, rays: Tensor, depth: Tensor, faces: Tensor) -> Tensor:
        baked = self._baked
        missed = faces < 0
        face, t = faces.clamp(min=0).long(), torch.where(missed, 1.0, depth)
        rays = torch.where(missed[:, None], 0.0, rays)
        ray = rays @ self._rotation[:2] + self._rotation[2]
        point = torch.addcmul(self._eye, ray, t[:, None])
        u, v, facing = _face_coordinates(baked, face, point, ray)
        footprint = t / (self._focal * facing.clamp(min=0.05).sqrt())
        color = _painting(baked, face, u, v, footprint)
        light = _light(baked, self._lumels, face, u, v) + baked.glow[face][:, None]
        color = color * light + self._gloss(face, point, ray)
        return torch.where(missed[:, None], 0.0, color)

    def _gloss(self, face: Tensor, point: Tensor, ray: Tensor) -> Tensor:
        """What flat faces reflect of the lamps (N, 3): it moves with the viewer."""
        gloss = self._baked.gloss[face]
        result = torch.zeros_like(point)
        shiny = torch.nonzero(gloss)[:, 0]
        if not len(shiny):
            return result
        normal, ray, point = self._baked.normals[face[shiny]], ray[shiny], point[shiny]
        mirrored = ray - 2 * (ray * normal).sum(dim=1, keepdim=True) * normal
        mirrored = mirrored / (mirrored * mirrored).sum(dim=1, keepdim=True).sqrt()
        total = torch.zeros_like(point)
        for source, color in self._highlights:
            towards = source - point
            cosine = (towards * mirrored).sum(dim=1) * (towards * towards).sum(dim=1).rsqrt()
            total += cosine.clamp(min=0).pow(_SHININESS)[:, None] * color
        result[shiny] = total * gloss[shiny, None]
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
    # A little finer than a pixel: the blur of the lens is added later.
    level = torch.log2(footprint / texel).sub(0.3).round().clamp(0, LEVELS - 1)
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
