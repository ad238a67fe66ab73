"""What every head is: the scene-specific part of a map, from features to scene coordinates."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

# Of features: twice those of the largest networks that one might take as a backbone.
MAX_CHANNELS = 4096


class Head(nn.Module, ABC):
    """Scene coordinates from features, each point by itself.

    A map file keeps the parameters of a head by name, its ``kind``, ``spec()`` and ``scale``.

    Attributes:
        kind: its name in the registry and in map files.
        channels: length of a feature.
        scale: () tensor, typical depth of the scene in scene units.
    """

    kind: ClassVar[str]
    channels: int
    scale: Tensor

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Scene coordinates (N, 3) float32, relative to the head's origin, of (N, channels)."""

    @abstractmethod
    def spec(self) -> dict[str, int]:
        """The sizes that ``from_spec`` makes an equal head of, weights aside."""

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: Mapping[str, Any], *, scale: float, weights: int) -> "Head":
        """A head of the sizes that a file claims, untrained.

        Args:
            spec: from a file, not to be trusted.
            scale: typical depth of the scene, positive.
            weights: numbers that the file holds for it; nothing larger is ever allocated.

        Raises:
            KeyError, ValueError: impossible sizes, or more weights needed than there are.
        """
