"""The objective of scene coordinates: a head for each room, all rooms in parallel (ACE, section 3).

ACE trains its backbone on 100 scans at once, a regression head for each; whatever helps all heads
is what the backbone learns. Here the scans are rendered rooms.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from reloc.backbone.pretrain.contrast import stacked_views
from reloc.backbone.pretrain.contrastive import features_at
from reloc.backbone.pretrain.objective import Batch
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.view_pairs import cell_centers, inside_image, random_homography, warped
from reloc.errors import SceneError
from reloc.images.augment import apply_homography
from reloc.images.photometric import retaken
from reloc.synthetic import TrainingViews

STRIDE = 8
VIEWS = 2  # of a room in a batch: one "pair"
# Errors grow like their logarithm beyond; a head that knows nothing is off by hundreds of pixels.
ROBUST_PIXELS = 10.0
RIGHT_PIXELS = 10.0
HEAD_WIDTH = 128
LEAST_CELLS = 32


class RoomHeads(nn.Module):
    """A small MLP for each room, stored as stacks of matrices.

    Args:
        rooms: how many.
        channels: length of a feature.
        width: of the two hidden layers.
    """

    def __init__(self, rooms: int, *, channels: int, width: int = HEAD_WIDTH) -> None:
        super().__init__()
        sizes = [(channels, width), (width, width), (width, 3)]
        chance = torch.Generator().manual_seed(0)
        # He's initialisation for ReLU; the last layer begins at the middle of the room.
        self.weights = nn.ParameterList(
            torch.randn(rooms, a, b, generator=chance) * (2 / a) ** 0.5 * (b != 3) for a, b in sizes
        )
        self.biases = nn.ParameterList(torch.zeros(rooms, 1, b) for _, b in sizes)

    def forward(self, features: Tensor, rooms: Tensor) -> Tensor:
        """Points (B, N, 3) in metres around the middle of the room of each row of (B, N, C)."""
        # Not by indexing, whose gradients are summed by threads in any order.
        layers = [
            (bias.index_select(0, rooms), weight.index_select(0, rooms))
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]
        x = features
        for bias, weight in layers[:-1]:
            x = torch.baddbmm(bias, x, weight).relu()
        bias, weight = layers[-1]
        return torch.baddbmm(bias, x, weight)


class Coordinates:
    """See ``Objective``. A point is right if it is off by less than ``RIGHT_PIXELS``.

    Args:
        rooms: views of each room.
        channels: length of a feature.
    """

    name = "coordinates"

    def __init__(self, rooms: Sequence[TrainingViews], *, channels: int) -> None:
        self.rooms = rooms
        self.heads = RoomHeads(len(rooms), channels=channels)
        self.middles = [room.world_from_cam[:, :3, 3].mean(axis=0) for room in rooms]

    def batch(self, options: PretrainOptions, step: int, *, rank: int = 0, world: int = 1) -> Batch:
        """Draws views of rooms, and the points that their cells show.

        Returns:
            ``views`` (B, 1, S, S) in 0..1, two each of as many rooms as there are pairs; ``rooms``
            (B,); ``pixels`` (B, N, 2) of cells, the ``points`` (B, N, 3) that they show in metres
            around the middle of the room, and how many pixels a metre there takes, ``zoom`` (B, N).

        Raises:
            SceneError: a room has no view that shows enough.
        """
        columns: dict[str, list[np.ndarray]] = {k: [] for k in ("pixels", "points", "zoom")}
        views, rooms = [], []
        for number in range(rank, options.pairs, world):
            rng = np.random.default_rng([options.seed, step, number])
            room = int(rng.integers(len(self.rooms)))
            for view in rng.permutation(len(self.rooms[room].images))[:VIEWS]:
                picture, pixels, points, zoom = self._seen(room, int(view), rng, options)
                views.append(picture)
                rooms.append(room)
                for name, value in (("pixels", pixels), ("points", points), ("zoom", zoom)):
                    columns[name].append(value)
        arrays = {k: torch.from_numpy(np.stack(v)).float() for k, v in columns.items()}
        return {"views": stacked_views(views), "rooms": torch.tensor(rooms), **arrays}

    def _seen(
        self, room: int, view: int, rng: np.random.Generator, options: PretrainOptions
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A view turned, zoomed and taken again; its cells (N, 2), their points and zoom."""
        shown = self.rooms[room]
        side = shown.images.shape[1]
        cells = cell_centers(options.size, STRIDE)
        for _ in range(20):
            reach = side * rng.uniform(0.3, 0.5)
            center = rng.uniform(reach, side - reach, 2)
            crop = random_homography(rng, center=center, reach=reach, size=options.size, tilt=0.05)
            at = apply_homography(np.linalg.inv(crop).astype(np.float64), cells)
            good = np.flatnonzero(inside_image(at, side, margin=0.5))
            if len(good) >= LEAST_CELLS:
                break
        else:
            raise SceneError(f"no part of a {side}x{side} view makes a view of {options.size}")
        chosen = rng.choice(good, size=options.points, replace=len(good) < options.points)
        column, row = at[chosen].astype(int).T
        depth = shown.depths[view][row, column].astype(np.float64)
        fx, fy, cx, cy = shown.intrinsics[view]
        rays = np.column_stack([(at[chosen] - (cx, cy)) / (fx, fy), np.ones(len(chosen))])
        pose = shown.world_from_cam[view]
        points = rays * depth[:, None] @ pose[:3, :3].T + pose[:3, 3] - self.middles[room]
        picture = retaken(warped(shown.images[view], crop, size=options.size), rng)
        zoom = fx / depth * options.size / (2 * reach)
        return picture, cells[chosen], points, zoom

    def loss(
        self, network: nn.Module, batch: Batch, options: PretrainOptions
    ) -> tuple[Tensor, Tensor]:
        """See ``Objective``. Distances count as the pixels that they would be across the view."""
        views = batch["views"].contiguous(memory_format=torch.channels_last)
        features = features_at(network(views).float(), batch["pixels"], stride=STRIDE)
        points = self.heads(features, batch["rooms"]).float()
        error = batch["zoom"] * ((points - batch["points"]).square().sum(dim=2) + 1e-8).sqrt()
        loss = ROBUST_PIXELS * torch.log1p(error / ROBUST_PIXELS)
        return loss.mean(), (error.detach() < RIGHT_PIXELS).float().mean()
