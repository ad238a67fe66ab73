"""Pairs from rendered rooms: parallax, occlusion and other light, with exact correspondences."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from reloc.backbone.pretrain.pairs import (
    Array,
    Pair,
    inside,
    random_homography,
    warped,
)
from reloc.images.augment import apply_homography
from reloc.images.photometric import retaken
from reloc.progress import Progress, silent
from reloc.synthetic import (
    TrainingViews,
    cached_training_views,
    correspondences,
)


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
        progress: Progress = silent,
    ) -> "RenderedPairs":
        """Renders rooms 0 to ``rooms - 1``, or reads those that ``folder`` holds already."""
        with ThreadPoolExecutor(workers) as pool:
            jobs = [
                pool.submit(cached_training_views, folder, seed, views=views)
                for seed in range(rooms)
            ]
            made = []
            for done, job in enumerate(jobs, start=1):
                made.append(job.result())
                progress("rendering rooms", done, rooms)
        return cls(made, size=size)

    def pair(self, seed: int) -> Pair:
        rng = np.random.default_rng([seed, 2])
        room = self.rooms[rng.integers(len(self.rooms))]
        first, second = (int(v) for v in room.pairs[rng.integers(len(room.pairs))])
        warp, valid = correspondences(room, first, second, step=self.stride)
        side = room.images.shape[1]
        rows, columns = np.nonzero(valid)
        before = (np.stack([columns, rows], axis=1) * self.stride + 0.5).astype(np.float64)
        after = warp[rows, columns].astype(np.float64)

        def crop(around: Array) -> Array:
            # Centred on what both views see, so that little of the overlap is cut away.
            reach = side * rng.uniform(0.3, 0.5)
            centre = np.clip(around, reach, side - reach) + rng.uniform(-0.06, 0.06, 2) * side
            return random_homography(rng, centre=centre, reach=reach, size=self.size, tilt=0.05)

        middle = np.full(2, side / 2)
        to_first = crop(before.mean(axis=0) if len(before) else middle)
        to_second = crop(after.mean(axis=0) if len(after) else middle)
        before = apply_homography(to_first, before)
        after = apply_homography(to_second, after)
        keep = inside(before, self.size) & inside(after, self.size)
        return Pair(
            retaken(warped(room.images[first], to_first, size=self.size), rng),
            retaken(warped(room.images[second], to_second, size=self.size), rng),
            before[keep],
            after[keep],
        )
