"""Episodes from rendered rooms: several at once, side by side, so that much looks alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone.meta.episode_loss import Episode, Rows
from reloc.images.augment import cell_pixels
from reloc.synthetic import TrainingViews, cached_training_views

# Metres between rooms; larger than any, so that they do not overlap.
_APART = 12.0

GridOf = Callable[[NDArray[np.uint8]], Tensor]


@dataclass(frozen=True)
class EpisodeOptions:
    """What an episode is made of.

    Attributes:
        rooms: rooms that share one head.
        queries: views of each room to judge the head by; the others are support.
        cells: drawn from each view.
        anchors: of all support views together.
    """

    rooms: int = 4
    queries: int = 3
    cells: int = 96
    anchors: int = 384


class RoomEpisodes:
    """Episode number ``seed``; the same number gives the same one.

    Args:
        folder: where rooms are kept; those that are not there are rendered.
        rooms: how many there are to choose from.
        grid_of: inputs (h, w, D) of the trained network, of a grey image; kept in memory in half
            precision once computed.
        stride: pixels per cell.
        views: of each room.
    """

    def __init__(
        self, folder: Path, *, rooms: int, grid_of: GridOf, stride: int = 8, views: int = 12
    ) -> None:
        self.folder, self.rooms, self.views = folder, rooms, views
        self.grid_of, self.stride = grid_of, stride
        self._grids: dict[tuple[int, int], Tensor] = {}
        self._known: dict[int, TrainingViews] = {}

    def episode(self, seed: int, options: EpisodeOptions) -> Episode:
        """See the class."""
        rng = np.random.default_rng([seed, 5])
        picks = rng.choice(self.rooms, size=min(options.rooms, self.rooms), replace=False)
        support: list[RoomImage] = []
        queries: list[RoomImage] = []
        for place, room in enumerate(int(p) for p in picks):
            offset = np.array([place * _APART, 0.0, 0.0])
            order = rng.permutation(self.views)
            for number, view in enumerate(int(v) for v in order):
                image = RoomImage(self, room, view, offset, int(rng.integers(2**31)), options)
                (queries if number < options.queries else support).append(image)
        count = -(-options.anchors // len(support))
        middle = np.array([(len(picks) - 1) * _APART / 2, 0.0, 0.0])
        for image in support:
            image.anchors = count
        for image in (*support, *queries):
            image.offset = image.offset - middle
        return Episode(support, queries)

    def sample(self, rooms: int) -> Tensor:
        """Inputs (n, D) of every third cell of two views of each of the first rooms."""
        grids = [
            self.grid(room, view)[::3, ::3].flatten(0, 1).float()
            for room in range(min(rooms, self.rooms))
            for view in (0, self.views // 2)
        ]
        return torch.cat(grids)

    def room(self, number: int) -> TrainingViews:
        """The views of a room."""
        if number not in self._known:
            self._known[number] = cached_training_views(self.folder, number, views=self.views)
        return self._known[number]

    def grid(self, room: int, view: int) -> Tensor:
        """Inputs (h, w, D) of a view."""
        key = (room, view)
        if key not in self._grids:
            image = np.ascontiguousarray(self.room(room).images[view])
            self._grids[key] = self.grid_of(image).to(torch.bfloat16)
        return self._grids[key]


@dataclass
class RoomImage:
    """One view in an episode; see ``EpisodeImage``."""

    source: RoomEpisodes
    room: int
    view: int
    offset: NDArray[np.float64]
    seed: int
    options: EpisodeOptions
    anchors: int = 0

    def __call__(self) -> Rows:
        """Cells drawn at random, with the coordinates that the rendered depth gives them."""
        views = self.source.room(self.room)
        grid = self.source.grid(self.room, self.view)
        rng = np.random.default_rng(self.seed)
        height, width = views.images.shape[1:]
        picks = rng.permutation(grid.shape[0] * grid.shape[1])[: self.options.cells]
        pixels = cell_pixels(height, width, stride=self.source.stride)[picks]
        column, row = np.minimum(pixels, (width - 1, height - 1)).astype(int).T
        depths = views.depths[self.view][row, column].astype(np.float64)
        fx, fy, cx, cy = views.intrinsics[self.view]
        rays = (pixels - (cx, cy)) / (fx, fy)
        points = np.column_stack([rays, np.ones(len(rays))]) * depths[:, None]
        pose = views.world_from_cam[self.view]
        coordinates = points @ pose[:3, :3].T + pose[:3, 3] + self.offset
        return Rows(
            inputs=grid.flatten(0, 1)[torch.from_numpy(picks)].float(),
            coordinates=torch.from_numpy(coordinates).float(),
            pixels=torch.from_numpy(fx / depths).float(),
            anchors=torch.arange(min(self.anchors, len(picks))),
        )
