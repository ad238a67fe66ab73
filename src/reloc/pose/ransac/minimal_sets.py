"""Minimal sets: a few cells of an image, drawn at random."""

import torch
from torch import Tensor


def minimal_sets(
    usable: Tensor, *, sets: int, size: int, generator: torch.Generator | None = None
) -> Tensor:
    """Indices (B, sets, size) of usable cells, each set of distinct ones, uniformly drawn.

    An image with fewer usable cells than ``size`` gets sets that repeat cells, one without any gets
    sets of one cell.

    Args:
        usable: (B, N) bool.
        sets: how many sets per image.
        size: cells per set.
        generator: where chance comes from, on the device of ``usable``.
    """
    counts = usable.cumsum(dim=1)
    total = counts[:, -1:]
    chance = torch.rand(
        (len(usable), sets, size), generator=generator, device=usable.device, dtype=torch.float64
    )
    ranks: list[Tensor] = []
    for number in range(size):
        # One of the cells that are left, as a rank among them; stepping over those taken, in
        # ascending order, makes it a rank among all.
        left = (total - number).clamp(min=1)
        rank = (chance[..., number] * left).floor().long().minimum(left - 1)
        taken = (
            torch.stack(ranks, dim=-1).sort(dim=-1).values if ranks else rank[..., None][..., :0]
        )
        for other in taken.unbind(dim=-1):
            rank = rank + (rank >= other)
        ranks.append(rank.minimum((total - 1).clamp(min=0)))
    wanted = torch.stack(ranks, dim=-1).flatten(1) + 1
    cells = torch.searchsorted(counts, wanted).clamp(max=usable.shape[1] - 1)
    return cells.view(len(usable), sets, size)


def taken(values: Tensor, cells: Tensor) -> Tensor:
    """Rows (B, sets, size, C) of values (B, N, C) at cells (B, sets, size)."""
    flat = cells.flatten(1)[..., None].expand(-1, -1, values.shape[-1])
    return values.gather(1, flat).view(*cells.shape, values.shape[-1])
