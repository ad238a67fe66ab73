"""Problems with a known pose."""

import pytest
import torch

from reloc.pose.ransac import Matches
from reloc.pose.ransac.motion import rotation_from_vector


def made_problem(
    *, images=3, cells=60, inliers=1.0, noise=0.0, focal=500.0, dtype=torch.float64, seed=0
):
    """Matches of random views with their true cam_from_world (B, 3, 4).

    Args:
        inliers: share of the cells that see their point; the others are a metre off.
        noise: of the points of inliers, in pixels.
    """
    chance = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=chance, dtype=torch.float64)

    rays = torch.rand((images, cells, 2), generator=chance, dtype=torch.float64) - 0.5
    depth = 1 + 3 * torch.rand((images, cells, 1), generator=chance, dtype=torch.float64)
    seen = torch.cat([rays, torch.ones_like(depth)], dim=-1) * depth
    rotation, translation = rotation_from_vector(normal(images, 3)), normal(images, 3, 1)
    points = (seen - translation.mT) @ rotation
    points = points + normal(images, cells, 3) * noise / focal * depth
    wrong = torch.rand((images, cells, 1), generator=chance, dtype=torch.float64) >= inliers
    points = points + wrong * normal(images, cells, 3)
    every = torch.ones(images, cells, dtype=torch.bool)
    matches = Matches(
        points.to(dtype),
        rays.to(dtype),
        torch.full((images,), focal, dtype=dtype),
        every,
        seen.to(dtype),
        every,
    )
    return matches, torch.cat([rotation, translation], dim=-1).to(dtype)


@pytest.fixture
def problem():
    return made_problem
