"""The contrastive objective: like features for what two views show of the same surface."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reloc.backbone.pretrain.contrastive import features_at, info_nce
from reloc.backbone.pretrain.objective import Batch
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.parallel import gathered
from reloc.backbone.pretrain.view_pairs import Pair, PairSource
from reloc.errors import SceneError

LEAST_MATCHES = 32


@dataclass(frozen=True)
class WeightedSource:
    """A source of pairs and how often it is drawn, relative to the others."""

    source: PairSource
    weight: float


class Contrast:
    """See ``Objective``. A point is right if its nearest in the other views is its match.

    Args:
        sources: where pairs come from.
    """

    name = "contrast"

    def __init__(self, sources: Sequence[WeightedSource]) -> None:
        self.sources = sources
        self.heads = nn.Module()

    def batch(self, options: PretrainOptions, step: int, *, rank: int = 0, world: int = 1) -> Batch:
        """Draws pairs of views, and pixels of both that show the same.

        Returns:
            Views ``first`` and ``second`` (B, 1, S, S) in 0..1, and matching pixels (B, N, 2) in
            both, ``pixels_first`` and ``pixels_second``.

        Raises:
            SceneError: no pair with matches enough was found.
        """
        weights = np.array([s.weight for s in self.sources])
        pairs: list[Pair] = []
        chosen = []
        for number in range(rank, options.pairs, world):
            rng = np.random.default_rng([options.seed, step, number])
            # A pair whose views hardly overlap teaches nothing: draw another.
            for _ in range(50):
                source = self.sources[rng.choice(len(weights), p=weights / weights.sum())].source
                pair = source.pair(int(rng.integers(2**62)))
                if (count := len(pair.pixels_first)) >= LEAST_MATCHES:
                    break
            else:
                raise SceneError(
                    "no two views of the training images overlap; give more or larger images"
                )
            pairs.append(pair)
            chosen.append(rng.choice(count, size=options.points, replace=count < options.points))
        return {
            "first": stacked_views([p.first for p in pairs]),
            "second": stacked_views([p.second for p in pairs]),
            "pixels_first": _picked([p.pixels_first for p in pairs], chosen),
            "pixels_second": _picked([p.pixels_second for p in pairs], chosen),
        }

    def loss(
        self, network: nn.Module, batch: Batch, options: PretrainOptions
    ) -> tuple[Tensor, Tensor]:
        """See ``Objective``."""
        count = len(batch["first"])
        views = torch.cat([batch["first"], batch["second"]])
        features = network(views.contiguous(memory_format=torch.channels_last)).float()
        stride = views.shape[-1] // features.shape[-1]
        first = features_at(features[:count], batch["pixels_first"], stride=stride)
        second = features_at(features[count:], batch["pixels_second"], stride=stride)
        return info_nce(
            gathered(functional.normalize(first.flatten(0, 1), dim=1)),
            gathered(functional.normalize(second.flatten(0, 1), dim=1)),
            temperature=options.temperature,
        )


def stacked_views(views: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Grey views as a network takes them, (B, 1, S, S) in 0..1."""
    return torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255


def _picked(positions: Sequence[NDArray[np.float64]], rows: Sequence[NDArray[np.int64]]) -> Tensor:
    parts = [p[chosen] for p, chosen in zip(positions, rows, strict=True)]
    return torch.from_numpy(np.stack(parts)).float()
