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

from reloc.devices import to_device
from reloc.geometry import Camera, inverted
from reloc.geometry.cameras import both
from reloc.geometry.grids import grid_rays, ray_box
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
    device = reference.features.device
    cells = torch.arange(len(reference.features), device=device).view(reference.grid)
    cells = cells[::EVERY, ::EVERY]
    features = reference.features[cells.flatten()]
    first, step, shape = 0.5 * reference.cell, EVERY * reference.cell, (len(cells), len(cells[0]))
    rays = grid_rays(reference.camera, first, step, shape)
    ladder = torch.linspace(FARTHEST / depth, NEAREST / depth, RUNGS, device=device)
    total = torch.zeros(len(features), RUNGS, device=device)
    seen = torch.zeros_like(total)
    for other in others:
        other_from_reference = inverted(other.world_from_cam) @ reference.world_from_cam
        columns, rows, inside = _places(rays, other_from_reference, other, ladder)
        total += torch.where(inside, _likeness(features, other, columns, rows), 0.0)
        seen += inside
    values = _best_rung(torch.where(seen > 0, total / seen.clamp(min=1), UNSEEN), ladder)
    values[~both(np.isfinite(rays))] = np.nan
    return InverseDepth(values.reshape(shape), first, step)


def _places(
    rays: Array, other_from_reference: Array, other: SweepDepth, ladder: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where another view would see cells at all depths of the ladder.

    Returns:
        Column and row of the cell, to fractions of it, and whether it sees them; (N, rungs) each.
    """
    directions = np.c_[np.nan_to_num(rays), np.ones(len(rays))] @ other_from_reference[:3, :3].T
    # Points at all depths, over their depth: the epipolar line is straight in these.
    x, y, z = (
        axis[:, None] + float(shift) * ladder
        for axis, shift in zip(
            to_device(torch.from_numpy(directions.T).float(), ladder.device),
            other_from_reference[:3, 3],
            strict=True,
        )
    )
    inside = z > 1e-3
    z = torch.where(inside, z, 1.0)
    x, y = x / z, y / z
    camera, box = other.camera, ray_box(other.camera)
    (left, top), (right, bottom) = box.low.tolist(), box.high.tolist()
    inside &= (x > left) & (x < right) & (y > top) & (y < bottom)
    if camera.distortion:
        # The formulas of lenses are NumPy's.
        seen = torch.stack([x.clamp(left, right), y.clamp(top, bottom)], dim=-1).cpu().double()
        pixels = torch.from_numpy(camera.pixels(seen.view(-1, 2).numpy())).view(seen.shape)
        x, y = to_device(pixels.float(), ladder.device).unbind(dim=-1)
    else:
        x, y = x * camera.fx + camera.cx, y * camera.fy + camera.cy
    height, width = other.grid
    columns, rows = x / float(other.cell[0]) - 0.5, y / float(other.cell[1]) - 0.5
    inside &= (columns > 0) & (columns < width - 1) & (rows > 0) & (rows < height - 1)
    return columns, rows, inside


def _likeness(features: Tensor, other: SweepDepth, columns: Tensor, rows: Tensor) -> Tensor:
    """Cosines (N, rungs) of features (N, d) with places of another view, linear between cells.

    What it gives for places outside has no meaning.
    """
    cosines = features @ other.features.T
    left, top = columns.floor(), rows.floor()
    right, lower = columns - left, rows - top
    _, width = other.grid
    first = (top * width + left).long()

    def at(offset: int) -> Tensor:
        return cosines.gather(1, (first + offset).clamp(0, cosines.shape[1] - 1)).float()

    above = torch.lerp(at(0), at(1), right)
    return torch.lerp(above, torch.lerp(at(width), at(width + 1), right), lower)


def _best_rung(scores: Tensor, ladder: Tensor) -> NDArray[np.float32]:
    """Inverse depths (N,) at the peaks of scores (N, rungs), between rungs by a parabola."""
    last = len(ladder) - 1
    best, rung = scores.max(dim=1)
    middle = rung.clamp(1, last - 1)
    below, at, above = (scores.gather(1, (middle + o)[:, None])[:, 0] for o in (-1, 0, 1))
    bend = below - 2 * at + above
    shift = torch.where(bend < -1e-6, 0.5 * (below - above) / bend, 0.0).clamp(-0.5, 0.5)
    near = (torch.arange(len(ladder), device=rung.device) - rung[:, None]).abs() <= PEAK
    rivals = scores.masked_fill(near, UNSEEN)
    sure = (best > LEAST_COSINE) & (best - rivals.max(dim=1).values > LEAST_MARGIN)
    sure &= ((rivals > UNSEEN).sum(dim=1) >= LEAST_RIVALS) & (rung > 0) & (rung < last)
    # Beside what nobody sees the best may be second to what is hidden.
    sure &= (below > UNSEEN) & (above > UNSEEN)
    values = ladder[0] + (middle + shift) * (ladder[-1] - ladder[0]) / last
    found: NDArray[np.float32] = torch.where(sure, values, torch.nan).cpu().numpy()
    return found
