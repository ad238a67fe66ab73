"""A backbone with context: features that also know what lies around them.

A head that is linear in its responses can only tell apart what features tell apart, and a feature
of the plain backbone sees little of the room. The adapter adds means over wider windows and mixes
them by a small network, which is what meta-training trains; the backbone below stays as it is.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc.backbone.network import ConvBackbone

MAX_WINDOW = 255


class ContextAdapter(nn.Module):
    """Features (.., channels) from a feature and the means over windows around it.

    Args:
        inputs: length of the backbone's features.
        channels: length of the new ones.
        hidden: width of the part that is not linear.
        windows: odd sides of the windows, in cells.
    """

    def __init__(
        self,
        *,
        inputs: int,
        channels: int = 384,
        hidden: int = 256,
        windows: tuple[int, ...] = (5, 15),
    ) -> None:
        super().__init__()
        if any(w % 2 == 0 or not 0 < w <= MAX_WINDOW for w in windows):
            raise ValueError("windows have an odd number of cells")
        self.inputs, self.channels, self.hidden, self.windows = inputs, channels, hidden, windows
        stacked = inputs * (1 + len(windows))
        self.linear = nn.Linear(stacked, channels, bias=False)
        self.inner = nn.Linear(stacked, hidden)
        self.outer = nn.Linear(hidden, channels)
        # Begins as the linear part alone.
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def stack(self, features: Tensor) -> Tensor:
        """Features (B, inputs, h, w) with their means over the windows: (B, h, w, stacked).

        Each part has unit length. Nothing in here is trained.
        """
        unit = functional.normalize(features, dim=1)
        parts = [unit]
        for side in self.windows:
            mean = functional.avg_pool2d(unit, side, 1, side // 2, count_include_pad=False)
            parts.append(functional.normalize(mean, dim=1))
        return torch.cat(parts, dim=1).permute(0, 2, 3, 1)

    def forward(self, stacked: Tensor) -> Tensor:
        """New features (.., channels) of stacked ones (.., stacked)."""
        inner = functional.relu(self.inner(stacked))
        linear: Tensor = self.linear(stacked) + self.outer(inner)
        return linear

    @torch.no_grad()
    def begin_at(self, stacked: Tensor, *, context: float = 0.7) -> None:
        """Sets the linear part to the principal directions of examples (N, stacked).

        Cosines of the new features are then about those of the stacked ones, the windows counting
        by the square of ``context`` beside the feature itself.
        """
        shares = torch.full((stacked.shape[1],), context, dtype=torch.float64)
        shares[: self.inputs] = 1.0
        # On the host: not every device has float64.
        scaled = stacked.cpu().double() * shares
        _, directions = torch.linalg.eigh(scaled.T @ scaled)
        strongest = directions[:, -self.channels :].T
        self.linear.weight[: len(strongest)].copy_(strongest * shares)


@torch.no_grad()
def averaged(first: ContextAdapter, second: ContextAdapter) -> ContextAdapter:
    """An adapter halfway between two of the same sizes.

    Between where a training began and where it ended, it keeps what the first does well where the
    training has not been (Wortsman et al., CVPR 2022).
    """
    middle = copy.deepcopy(first)
    for mine, theirs in zip(middle.parameters(), second.parameters(), strict=True):
        mine.lerp_(theirs, 0.5)
    return middle


class AdaptedBackbone(nn.Module):
    """A frozen backbone and an adapter on top: a ``ContextBackbone``."""

    def __init__(self, backbone: ConvBackbone, adapter: ContextAdapter) -> None:
        super().__init__()
        self.backbone, self.adapter = backbone, adapter
        self.channels, self.stride = adapter.channels, backbone.stride
        self.fingerprint = "untrained"

    def forward(self, images: Tensor) -> Tensor:
        """See ``Backbone.__call__``."""
        return self.with_local(images)[0]

    def with_local(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See ``ContextBackbone.with_local``."""
        local = self.backbone(images)
        return self.adapted(local), local

    def adapted(self, features: Tensor) -> Tensor:
        """New features of those of the backbone below, both (B, channels, h, w)."""
        features = self.adapter(self.adapter.stack(features))
        return functional.normalize(features, dim=-1).permute(0, 3, 1, 2) * math.sqrt(self.channels)
