"""Pairs from rendered rooms: parallax, occlusion and other light, with exact correspondences."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from reloc.backbone.pretrain.parallel import place_among_processes
from reloc.backbone.pretrain.view_pairs import Pair, cropped_pair, with_passer_by
from reloc.progress import Progress, silent
from reloc.synthetic import (
    TrainingViews,
    cached_training_views,
    correspondences,
)

# Share of pairs in which something moves.
PASSERS_BY = 0.3


def rendered_rooms(
    folder: Path,
    *,
    rooms: int,
    views: int,
    workers: int = 2,
    device: str | torch.device = "cpu",
    progress: Progress = silent,
) -> list[TrainingViews]:
    """Views of rooms 0 to ``rooms - 1``, rendered or read.

    Processes share the rendering; each then reads what the others have made.

    Args:
        folder: keeps them.
        rooms: how many.
        views: of each.
        workers: rooms at a time.
        device: where to render.
        progress: told of every room.
    """
    rank, world = place_among_processes()
    made: dict[int, TrainingViews] = {}

    def collect(numbers: Iterable[int]) -> None:
        with ThreadPoolExecutor(workers) as pool:
            get = partial(cached_training_views, folder, views=views, device=device)
            for number, job in [(n, pool.submit(get, n)) for n in numbers]:
                made[number] = job.result()
                progress("rendering rooms", len(made), rooms)

    collect(range(rank, rooms, world))
    if world > 1:
        dist.barrier()
        collect(number for number in range(rooms) if number not in made)
    return [made[number] for number in range(rooms)]


class RenderedPairs:
    """Two views of one rendered room, each turned and zoomed a little on top.

    Args:
        rooms: views of each room.
        size: side of a view in pixels.
        stride: pixels between correspondences in the rendered picture.
    """

    def __init__(self, rooms: list[TrainingViews], *, size: int, stride: int = 8) -> None:
        self.rooms = [room for room in rooms if len(room.pairs)]
        self.size = size
        self.stride = stride

    @classmethod
    def from_cache(
        cls,
        folder: Path,
        *,
        rooms: int,
        size: int,
        views: int = 12,
        workers: int = 2,
        device: str | torch.device = "cpu",
        progress: Progress = silent,
    ) -> "RenderedPairs":
        """Renders rooms 0 to ``rooms - 1`` on a device, or reads those that ``folder`` holds."""
        made = rendered_rooms(
            folder, rooms=rooms, views=views, workers=workers, device=device, progress=progress
        )
        return cls(made, size=size)

    def pair(self, seed: int) -> Pair:
        """Crops two views of one room, around places that both show."""
        rng = np.random.default_rng([seed, 2])
        room = self.rooms[rng.integers(len(self.rooms))]
        first, second = (int(v) for v in room.pairs[rng.integers(len(room.pairs))])
        warp, valid = correspondences(room, first, second, step=self.stride)
        rows, columns = np.nonzero(valid)
        before = (np.stack([columns, rows], axis=1) * self.stride + 0.5).astype(np.float64)
        after = warp[rows, columns].astype(np.float64)
        images = (room.images[first], room.images[second])
        made = cropped_pair(images, (before, after), rng, size=self.size)
        # People and things that come and go: a piece of another room in one of the views.
        if rng.random() < PASSERS_BY:
            other = self.rooms[rng.integers(len(self.rooms))].images
            made = with_passer_by(made, other[rng.integers(len(other))], rng)
        return made
