"""Plane sweep over features: how far a frame sees, from the frames beside it (Collins 1996).

The features that relocalize are good for stereo as well: a cell of one view and the place of
another view that shows the same surface have like features. With known poses that place is known
but for the depth, so every cell tries a ladder of inverse depths and takes the one at which the
views agree best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reloc.devices import to_device
from reloc.geometry import Camera, inverted
from reloc.stereo.inverse_depth import InverseDepth

Array = NDArray[np.float64]

# The ladder, in units of one over the typical depth. Even steps in inverse depth are even steps
# along the epipolar line; at the usual baseline one is about a cell.
FARTHEST, NEAREST, RUNGS = 1 / 8, 5.0, 64
# Cosines below this are no match, and a best one that stands out less than this from all others
# further than ``PEAK`` rungs away is one of several.
LEAST_COSINE = 0.45
LEAST_MARGIN = 0.06
PEAK = 3
# Scores of rungs that no other view sees. A peak needs this many others to stand out from.
UNSEEN = -1.0
LEAST_RIVALS = 2 * PEAK
# Every second cell of the reference by axis is swept: depth varies more slowly than texture.
EVERY = 2


@dataclass(frozen=True)
class SweepDepth:
    """A plain view of a frame, as the sweep needs it.

    Attributes:
        features: (h * w, d) unit length, row by row.
        grid: (h, w) cells.
        cell: (2,) size of a cell in pixels of the original image.
        camera: of the original image.
        world_from_cam: (4, 4).
    """

    features: Tensor
    grid: tuple[int, int]
    cell: Array
    camera: Camera
    world_from_cam: Array


def plane_sweep(
    reference: SweepDepth, others: Sequence[SweepDepth], *, depth: float
) -> InverseDepth:
    """How far the cells of a view see.

    Args:
        reference: the view asked about.
        others: views of the same from beside it, see ``stereo_neighbours``.
        depth: typical depth of the scene, in scene units.

    Returns:
        Inverse depths of every second cell by axis; NaN where the views do not agree on one.
    """
    height, width = reference.grid
    rows, columns = np.mgrid[0:height:EVERY, 0:width:EVERY]
    cells = np.stack([columns.ravel(), rows.ravel()], axis=1)
    rays = reference.camera.rays((cells + 0.5) * reference.cell)
    chosen = torch.from_numpy(cells[:, 1] * width + cells[:, 0])
    picked = reference.features[to_device(chosen, reference.features.device)]
    ladder = np.linspace(FARTHEST, NEAREST, RUNGS) / depth
    total = torch.zeros(len(cells), RUNGS)
    seen = torch.zeros(len(cells), RUNGS)
    for other in others:
        cosines, inside = _cosines(picked, rays, reference.world_from_cam, other, ladder)
        total += torch.where(inside, cosines, 0.0)
        seen += inside
    values = _best_rung(torch.where(seen > 0, total / seen.clamp(min=1), UNSEEN), ladder)
    values[~np.isfinite(rays).all(axis=1)] = np.nan
    return InverseDepth(
        values=values.reshape(rows.shape),
        first=0.5 * reference.cell,
        step=EVERY * reference.cell,
    )


def _cosines(
    features: Tensor, rays: Array, world_from_cam: Array, other: SweepDepth, ladder: Array
) -> tuple[Tensor, Tensor]:
    """Likeness (N, rungs) of cells to where another view would see them, and whether it does."""
    other_from_cam = inverted(other.world_from_cam) @ world_from_cam
    directions = np.c_[np.nan_to_num(rays), np.ones(len(rays))] @ other_from_cam[:3, :3].T
    # Points at all depths, over their depth: the epipolar line is straight in these.
    points = directions[:, None] + ladder[:, None] * other_from_cam[:3, 3]
    ahead = points[..., 2] > 1e-3
    seen_rays = points[..., :2] / np.where(ahead, points[..., 2], 1.0)[..., None]
    low, high = other.camera.ray_bounds()
    ahead &= ((seen_rays > low) & (seen_rays < high)).all(axis=-1)
    pixels = other.camera.pixels(np.clip(seen_rays, low, high).reshape(-1, 2))
    height, width = other.grid
    # In [-1, 1] over the grid of cells, as grid_sample wants it.
    places = (pixels / (other.cell * (width, height)) * 2 - 1).reshape(*ahead.shape, 2)
    ahead &= (np.abs(places) < 1 - 1 / np.array([width, height])).all(axis=-1)
    likeness = (features @ other.features.T).float().view(len(features), 1, height, width)
    # How it is beyond the outermost cells does not matter: there the view is not ahead.
    sampled = functional.grid_sample(
        likeness,
        to_device(torch.from_numpy(places).float(), likeness.device)[:, None],
        align_corners=False,
    )
    return sampled[:, 0, 0].cpu(), torch.from_numpy(ahead)


def _best_rung(scores: Tensor, ladder: Array) -> NDArray[np.float32]:
    """Inverse depths (N,) at the peaks of scores (N, rungs), between rungs by a parabola."""
    last = len(ladder) - 1
    best, rung = scores.max(dim=1)
    middle = rung.clamp(1, last - 1)
    below, at, above = (scores.gather(1, (middle + o)[:, None])[:, 0] for o in (-1, 0, 1))
    bend = below - 2 * at + above
    shift = torch.where(bend < -1e-6, 0.5 * (below - above) / bend, 0.0).clamp(-0.5, 0.5)
    near = (torch.arange(len(ladder)) - rung[:, None]).abs() <= PEAK
    rivals = scores.masked_fill(near, UNSEEN)
    sure = (best > LEAST_COSINE) & (best - rivals.max(dim=1).values > LEAST_MARGIN)
    sure &= ((rivals > UNSEEN).sum(dim=1) >= LEAST_RIVALS) & (rung > 0) & (rung < last)
    # Beside what nobody sees the best may be second to what is hidden.
    sure &= (below > UNSEEN) & (above > UNSEEN)
    values = ladder[0] + (middle + shift).numpy() * (ladder[1] - ladder[0])
    return np.where(sure.numpy(), values, np.nan).astype(np.float32)
