"""The map of a place: heads with all that it takes to use them, in one small file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reloc.backbone import Backbone, ConvBackbone, FeatureExtractor, find_backbone
from reloc.errors import MapError
from reloc.files import StrPath
from reloc.geometry import Camera
from reloc.heads import Head
from reloc.images.lens import Lens
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
class SceneMap:
    """A map of one place.

    Attributes:
        regions: one or more, which may overlap; a small place has one.
        backbone: fingerprint of the backbone whose features the heads understand.
        short_side: images are resampled to this short side in pixels before the backbone.
        extent: largest side of the mapping camera centres' bounding box, scene units.
        unit: ``meter`` or ``unknown``.
        cameras: the mapping frames, at most ``MAX_CAMERAS``, evenly spaced.
        info: how the map was made (scene, options, seconds, steps, loss); JSON types only.
        preview: points to draw, if the map has them.
        own_backbone: the network of ``backbone`` if it was trained for this place alone, fused; it
            takes the place of whatever backbone a user has.
        reliability: share of its own mapping frames that the map finds; 1 where that was not
            checked. No pose is believed more than that.
    """

    regions: tuple[Region, ...]
    backbone: str
    short_side: int
    extent: float
    unit: Literal["metre", "unknown"]
    cameras: tuple[MappingCamera, ...]
    info: Mapping[str, Any] = field(default_factory=dict)
    preview: PreviewPoints | None = None
    own_backbone: ConvBackbone | None = None
    reliability: float = 1.0

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

    @property
    def seconds(self) -> float | None:
        """Wall time of mapping, None if the map does not tell."""
        stages = self.info.get("seconds")
        values = stages.values() if isinstance(stages, dict) else ()
        known = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
        return float(sum(known)) if known else None

    def query_camera(self) -> Camera | None:
        """The camera to assume for a query: that of the mapping frames if all share one."""
        first = self.cameras[0].camera if self.cameras else None
        return first if all(c.camera == first for c in self.cameras) else None

    def check_backbone(self, backbone: Backbone | FeatureExtractor) -> None:
        """Raises MapError if the map was made with another backbone than this one."""
        if self.backbone != backbone.fingerprint:
            raise MapError(
                f"the map was made with backbone {self.backbone}, not with {backbone.fingerprint}; "
                "name its backbone file or map the scene again"
            )
        if self.head.channels != backbone.channels:
            raise MapError(
                f"the map wants features of length {self.head.channels}, its backbone gives "
                f"{backbone.channels}; it is damaged: copy or make it again"
            )

    def serving_backbone(self, given: Backbone | StrPath | None = None) -> Backbone:
        """The backbone to use the map with: its own if it has one, else the given or a shipped one.

        Args:
            given: a backbone or its file; None for the shipped one that the map was made with.

        Raises:
            MapError: the file cannot be read, it is of another backbone, or none is given and the
                map was made with none of the shipped ones.
        """
        if self.own_backbone is not None:
            return self.own_backbone
        backbone = find_backbone(self.backbone, given)
        self.check_backbone(backbone)
        return backbone

    def save(self, path: StrPath) -> None:
        """Writes the map atomically, weights in fp16 unless they are compressed.

        Raises:
            OutputError: the file cannot be written.
        """
        from reloc.maps.map_file import write_map

        write_map(self, Path(path))

    @classmethod
    def load(cls, path: StrPath) -> "SceneMap":
        """Reads a map.

        Raises:
            MapError: no such file, damaged, of another version, or with impossible contents.
        """
        from reloc.maps.map_file import read_map

        return read_map(Path(path))
