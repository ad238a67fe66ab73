"""The scene-specific head: an MLP from one feature to one scene coordinate (ACE, section 3.2)."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc.heads.head import MAX_CHANNELS, Head
from reloc.training import drawn_from
from reloc.untrusted import integer

MAX_WIDTH = 8192
MAX_BLOCKS = 64
# Softplus shifted so that w = 0 gives a homogeneous scale of exactly 1 and no output can bring it
# below MIN_SCALE (coordinates stay finite) or above MAX_SCALE (ACE, supplement).
MIN_SCALE = 0.25
MAX_SCALE = 100.0
SOFTPLUS_BETA = math.log(2.0) / (1.0 - MIN_SCALE)


class ResidualBlock(nn.Module):
    """Three layers, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        y = x
        for layer in self.layers:
            y = functional.relu(layer(y))
        return x + y


class MlpHead(Head):
    """Scene coordinates from features, each point by itself.

    The last layer gives a homogeneous point (x, y, z, w) in units of ``scale``, around the origin
    of the map (the mean of the mapping camera centres), so that the same weights and schedule
    serve a desk and a street, in any unit of length and any world frame.

    Args:
        channels: length of a feature.
        width: of the hidden layers.
        blocks: residual blocks of three layers.
        scale: typical depth of the scene, in scene units.
    """

    kind = "mlp"

    def __init__(
        self,
        *,
        channels: int,
        width: int = 512,
        blocks: int = 2,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels, self.width, self.blocks = channels, width, blocks
        self.inlet = nn.Linear(channels, width)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.outlet = nn.Linear(width, width)
        self.point = nn.Linear(width, 4)
        self.register_buffer("scale", torch.tensor(float(scale)))

    def spec(self) -> dict[str, int]:
        """Channels, width and blocks."""
        return {"channels": self.channels, "width": self.width, "blocks": self.blocks}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], *, scale: float, weights: int) -> "MlpHead":
        """See ``Head.from_spec``."""
        channels = integer(spec["channels"], "head", least=1, most=MAX_CHANNELS)
        width = integer(spec["width"], "head", least=1, most=MAX_WIDTH)
        blocks = integer(spec["blocks"], "head", most=MAX_BLOCKS)
        if weights < channels * width + width * width * (3 * blocks + 1):
            raise ValueError("missing weights")
        return cls(channels=channels, width=width, blocks=blocks, scale=scale)

    def forward(self, features: Tensor) -> Tensor:
        """Scene coordinates (N, 3) float32, relative to the map's origin, of (N, channels)."""
        x = functional.relu(self.inlet(features))
        x = self.body(x)
        x = functional.relu(self.outlet(x))
        # The last product decides about millimetres: full precision, whatever came before.
        with torch.autocast(x.device.type, enabled=False):
            return homogeneous_point(self.point(x.float())) * self.scale


def homogeneous_point(outputs: Tensor) -> Tensor:
    """Points (..., 3) in units of the scale from the last layer's outputs (..., 4)."""
    homogeneous = functional.softplus(outputs[..., 3:], beta=SOFTPLUS_BETA) + MIN_SCALE
    return outputs[..., :3] / homogeneous.clamp(max=MAX_SCALE)


def new_head(*, channels: int, width: int, blocks: int, scale: float, seed: int) -> MlpHead:
    """An untrained head with weights drawn from the seed."""
    with drawn_from(seed):
        return MlpHead(channels=channels, width=width, blocks=blocks, scale=scale)
