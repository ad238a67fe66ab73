"""The map of a place: heads with all that it takes to use them, in one small file."""

import math
from dataclasses import dataclass
from pathlib import Path

from reloc.backbone import Backbone, FeatureExtractor, find_backbone
from reloc.errors import MapError
from reloc.files import StrPath
from reloc.geometry import Camera
from reloc.maps.contents import (
    LEAST_VIEWS,
    MAX_CAMERAS,
    MAX_PREVIEW,
    MAX_REGIONS,
    MAX_SHORT_SIDE,
    MAX_VIEWS,
    MapContents,
    MappingCamera,
    PreviewPoints,
    Region,
)
from reloc.maps.map_file import read_map, write_map

__all__ = [
    "LEAST_VIEWS",
    "MAX_CAMERAS",
    "MAX_PREVIEW",
    "MAX_REGIONS",
    "MAX_SHORT_SIDE",
    "MAX_VIEWS",
    "MappingCamera",
    "PreviewPoints",
    "Region",
    "SceneMap",
]


@dataclass(frozen=True)
class SceneMap(MapContents):
    """A map of one place; see ``MapContents`` for what it holds."""

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
        write_map(self, Path(path))

    @classmethod
    def load(cls, path: StrPath) -> "SceneMap":
        """Reads a map.

        Raises:
            MapError: no such file, damaged, of another version, or with impossible contents.
        """
        return cls(**vars(read_map(Path(path))))
