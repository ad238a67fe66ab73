"""What a user may choose about a map in closed form."""

from dataclasses import dataclass
from typing import Literal

from reloc.errors import OptionError
from reloc.heads.ridge import MAX_ANCHORS, MAX_NEIGHBOURS
from reloc.maps.scene_map import MAX_SHORT_SIDE

Targets = Literal["rays", "depth"]


@dataclass(frozen=True)
class RidgeOptions:
    """How to fit a ridge head.

    Attributes:
        targets: ``rays`` needs poses alone; ``depth`` takes the frames that have a depth image.
        anchors: features that others are compared with, at most.
        neighbours: anchors that respond to a feature.
        temperature: of the responses.
        ridge: lambda; None chooses it by leaving frames out.
        short_side: images are resampled to this short side in pixels.
        cells_per_view: features drawn from one image, at most.
        features: that are kept of all images together, at most; many images give fewer each.
        seed: of everything random; the same seed gives the same map on a CPU.
    """

    targets: Targets = "rays"
    anchors: int = 16384
    neighbours: int = 8
    temperature: float = 0.06
    ridge: float | None = None
    short_side: int = 480
    cells_per_view: int = 1024
    features: int = 120_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.neighbours <= min(self.anchors, MAX_NEIGHBOURS):
            raise OptionError(f"neighbours must be 1 to {MAX_NEIGHBOURS} and at most the anchors")
        if not self.anchors <= MAX_ANCHORS:
            raise OptionError(f"anchors must be at most {MAX_ANCHORS}")
        if not self.temperature > 0 or (self.ridge is not None and not self.ridge > 0):
            raise OptionError("temperature and ridge must be positive")
        if not 64 <= self.short_side <= MAX_SHORT_SIDE:
            raise OptionError(f"short-side must be 64 to {MAX_SHORT_SIDE} pixels")
        if min(self.cells_per_view, self.features) < 1 or self.seed < 0:
            raise OptionError("cells-per-view and features must be positive, seed not negative")


# Landmarks make its poses exact: half of the anchors find the place, at half of the time, and
# lambda hardly matters.
DRAFT = RidgeOptions(anchors=8192, ridge=1e-2)
