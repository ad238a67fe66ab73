"""A textured wall and floor whose features can be computed exactly."""

import numpy as np
import pytest
import torch

from reloc.geometry import Camera, look_at
from reloc.stereo import SweepDepth

# Off-centre, distorted, two focal lengths; sizes that are no multiple of a cell.
LANDSCAPE = Camera("OPENCV", 397, 301, (330, 350, 205, 146, -0.12, 0.03, 0.002, -0.001))
PORTRAIT = Camera("PINHOLE", 300, 443, (350, 330, 140, 235))
STRIDE = 8


class Corner:
    """A wall z = 4 above a floor y = 1 (y points down), in a world of cameras near the origin."""

    depth = 3.0
    landscape, portrait, stride = LANDSCAPE, PORTRAIT, STRIDE

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._waves = rng.normal(size=(3, 64)) * 6.0
        self._phases = rng.uniform(0, 2 * np.pi, 64)

    def points(self, camera, world_from_cam, pixels):
        """World points (N, 3) seen at pixels (N, 2), and their depths (N,)."""
        rays = camera.rays(pixels)
        directions = np.c_[rays, np.ones(len(rays))] @ world_from_cam[:3, :3].T
        center = world_from_cam[:3, 3]
        with np.errstate(divide="ignore"):
            wall = (4.0 - center[2]) / directions[:, 2]
            floor = (1.0 - center[1]) / directions[:, 1]
        depths = np.where((floor > 0) & (floor < wall), floor, wall)
        return center + depths[:, None] * directions, depths

    def texture(self, points, *, channels=64):
        """A number from -1 to 1 per channel (N, C) that says where on a surface a point is."""
        return np.sin(points @ self._waves[:, :channels] + self._phases[:channels])

    def view(self, camera, world_from_cam):
        grid = (-(-camera.height // STRIDE), -(-camera.width // STRIDE))
        row, column = np.mgrid[0 : grid[0], 0 : grid[1]]
        pixels = (np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5) * STRIDE
        points, _ = self.points(camera, world_from_cam, pixels)
        features = torch.from_numpy(np.nan_to_num(self.texture(points))).float()
        return SweepDepth(
            features=torch.nn.functional.normalize(features, dim=1),
            grid=grid,
            cell=np.full(2, float(STRIDE)),
            camera=camera,
            world_from_cam=world_from_cam,
        )

    def photo(self, camera, world_from_cam):
        """A grey photo (H, W) of it."""
        row, column = np.mgrid[0 : camera.height, 0 : camera.width]
        pixels = np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5
        points, _ = self.points(camera, world_from_cam, pixels)
        brightness = np.nan_to_num(self.texture(points, channels=6).mean(axis=1))
        return (127 + 100 * brightness).clip(0, 255).astype(np.uint8).reshape(row.shape)

    @staticmethod
    def pose(x, y=0.0, z=0.0):
        """A camera near the origin that looks at the foot of the wall."""
        return look_at((x, y, z), (0.3 * x, 0.4, 4.0), up=(0, -1, 0))


@pytest.fixture(scope="session")
def corner():
    return Corner()
