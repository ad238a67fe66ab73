"""The head that is fitted in closed form: scene coordinates linear in responses of a feature.

A feature is compared with fixed *anchors*, features drawn from the mapping images. Its responses
are the softmax of its cosines with the nearest few, and its scene coordinate is linear in them: a
weighted mean of one point per anchor. The points are all that is fitted, by least squares.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc.devices import inference_dtype
from reloc.heads.head import MAX_CHANNELS, Head
from reloc.untrusted import integer

MAX_ANCHORS = 1 << 16
MAX_NEIGHBOURS = 64
# Neighbours by channels, which are gathered for each feature of ``_ROWS``: 1 GiB in all.
MAX_GATHERED = 1 << 16
# Features compared at a time, so that the table of cosines stays small.
_ROWS = 4096


class RidgeHead(Head):
    """Scene coordinates from features, each point by itself.

    Args:
        channels: length of a feature.
        anchors: how many.
        neighbours: anchors that respond to a feature.
        temperature: divides the cosines; small ones make the nearest anchor answer alone.
        scale: typical depth of the scene, in scene units; points are kept in units of it.
    """

    kind = "ridge"

    def __init__(
        self,
        *,
        channels: int,
        anchors: int,
        neighbours: int = 8,
        temperature: float = 0.06,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.neighbours = channels, neighbours
        self.anchors = nn.Parameter(torch.zeros(anchors, channels))
        self.points = nn.Parameter(torch.zeros(anchors, 3))
        self.temperature = nn.Parameter(torch.tensor(float(temperature)))
        self.register_buffer("scale", torch.tensor(float(scale)))

    def spec(self) -> dict[str, int]:
        """Channels, anchors and neighbours."""
        return {
            "channels": self.channels,
            "anchors": len(self.anchors),
            "neighbours": self.neighbours,
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], *, scale: float, weights: int) -> "RidgeHead":
        """See ``Head.from_spec``."""
        channels = integer(spec["channels"], "head", least=1, most=MAX_CHANNELS)
        anchors = integer(spec["anchors"], "head", least=1, most=MAX_ANCHORS)
        most = min(anchors, MAX_NEIGHBOURS, MAX_GATHERED // channels)
        neighbours = integer(spec["neighbours"], "head", least=1, most=most)
        if weights < anchors * (channels + 3):
            raise ValueError("missing weights")
        return cls(channels=channels, anchors=anchors, neighbours=neighbours, scale=scale)

    def responses(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Which anchors respond to features (N, channels), and how strongly.

        Returns:
            Indices (N, neighbours) int64 of the nearest anchors, near ties aside, and their
            weights (N, neighbours) float32, which add up to 1.
        """
        # Half precision finds the nearest; what their cosines are decides about centimetres.
        rough = inference_dtype(features.device)
        indices, cosines = [], []
        with torch.autocast(features.device.type, enabled=False):
            anchors = functional.normalize(self.anchors.float(), dim=1)
            table = anchors.to(rough).T
            for part in features.split(_ROWS):
                unit = functional.normalize(part.float(), dim=1)
                nearest = (unit.to(rough) @ table).topk(self.neighbours, dim=1).indices
                indices.append(nearest)
                cosines.append(torch.einsum("nc,nkc->nk", unit, anchors[nearest]))
            weights = torch.softmax(torch.cat(cosines) / self.temperature.float(), dim=1)
        return torch.cat(indices), weights

    def forward(self, features: Tensor) -> Tensor:
        """Scene coordinates (N, 3) float32, relative to the map's origin, of (N, channels)."""
        indices, weights = self.responses(features)
        points = self.points.float()[indices]
        return (points * weights.unsqueeze(-1)).sum(dim=1) * self.scale
