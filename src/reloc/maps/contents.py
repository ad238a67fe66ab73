"""What the map of a place holds: its regions with their heads, and the cameras it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reloc.alignment import Alignment
from reloc.backbone import ConvBackbone
from reloc.geometry import Camera
from reloc.heads import Head
from reloc.images.lens import Lens
from reloc.landmarks.landmarks import Landmarks
from reloc.maps.held_back import Bound, HeldBack
from reloc.maps.packing import PackedWeights

Array = NDArray[np.float64]

# Mapping cameras serve pictures and plans; a sample of this many shows any place.
MAX_CAMERAS = 1000
MAX_REGIONS = 1024
# So many views show what a region looks like from anywhere in it; by so few it is still found.
MAX_VIEWS = 64
LEAST_VIEWS = 16
# So few points serve pictures and cost little beside the weights.
MAX_PREVIEW = 10_000
# Three times the usual: a map cannot make its reader blow up images without end.
MAX_SHORT_SIDE = 1440


@dataclass(frozen=True)
class MappingCamera:
    """A mapping frame as the map remembers it.

    Attributes:
        name: of the frame.
        world_from_cam: (4, 4) pose.
        camera: intrinsics of the stored pixels.
        lens: what its photo says of it; None in maps that were made before this was kept.
    """

    name: str
    world_from_cam: Array
    camera: Camera
    lens: Lens | None = None


@dataclass(frozen=True)
class Region:
    """A part of the place, or all of it, that one head knows.

    Attributes:
        head: the regressor; its coordinates are relative to ``origin``.
        origin: (3,) float64 mean of the camera centres that it was trained from, world frame.
        frames: rows of the map's ``cameras`` that it was trained from; None for all.
        views: (V, D) int8 what mapping images of it look like (``backbone.descriptor``), V may be
            zero; by them a query finds the region without running its head.
        packed: how the weights are stored if they are compressed; None for fp16. It belongs to
            this very head: whoever puts another in its place leaves it out.
    """

    head: Head
    origin: Array
    frames: tuple[int, ...] | None = None
    views: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    packed: PackedWeights | None = None

    @property
    def scale(self) -> float:
        """Typical depth of the region, in scene units."""
        return float(self.head.scale)


@dataclass(frozen=True)
class PreviewPoints:
    """A few coloured points of the place, for pictures where there are no images at hand.

    Attributes:
        points: (N, 3) float64, world frame.
        colors: (N, 3) uint8 RGB.
    """

    points: Array
    colors: NDArray[np.uint8]


@dataclass(frozen=True)
class MapContents:
    """What is in the file of a map.

    Attributes:
        regions: one or more, which may overlap; a small place has one.
        backbone: fingerprint of the backbone whose features the heads understand.
        short_side: images are resampled to this short side in pixels before the backbone.
        extent: largest side of the mapping camera centres' bounding box, scene units.
        unit: ``meter`` or ``unknown``.
        cameras: the mapping frames, at most ``MAX_CAMERAS``, evenly spaced.
        info: how the map was made (scene, options, seconds, steps, loss); JSON types only.
        preview: points to draw, if the map has them.
        landmarks: points known to a fraction of a pixel, if the map has them.
        own_backbone: the network of ``backbone`` if it was trained for this place alone, fused; it
            takes the place of whatever backbone a user has.
        reliability: share of its own mapping frames that the map finds; 1 where that was not
            checked. No pose is believed more than that.
        held_back: what the map was measured to do; None where it was not, or has been edited since.
        alignment: how its world lies in a frame with up, in metres, or on Earth; None where nobody
            said.
    """

    regions: tuple[Region, ...]
    backbone: str
    short_side: int
    extent: float
    unit: Literal["metre", "unknown"]
    cameras: tuple[MappingCamera, ...]
    info: Mapping[str, Any] = field(default_factory=dict)
    preview: PreviewPoints | None = None
    landmarks: Landmarks | None = None
    own_backbone: ConvBackbone | None = None
    reliability: float = 1.0
    held_back: HeldBack | None = None
    alignment: Alignment | None = None

    @property
    def usual_bound(self) -> Bound:
        """Within which a pose is right where nothing else is asked for."""
        return Bound.usual(extent=self.extent, unit=self.unit)

    @property
    def head(self) -> Head:
        """The head of the first region: of the only one, where there is one."""
        return self.regions[0].head

    @property
    def origin(self) -> Array:
        """The (3,) origin that belongs to ``head``."""
        return self.regions[0].origin

    @property
    def scale(self) -> float:
        """Typical depth of the scene, in scene units: the median of the regions."""
        return float(np.median([region.scale for region in self.regions]))
