"""What an index says of a map, and what is known of where an image was taken."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.maps.scene_map import MAX_REGIONS, MAX_SHORT_SIDE, MAX_VIEWS, SceneMap

_NAME = re.compile(r"[\w-][\w.-]{0,199}")
# No name has an @: what has one in front of a digest was written by `MapLibrary.add`.
OWN_FILE = re.compile(r"[\w-][\w.-]{0,199}@[0-9a-f]{16}\.safetensors")
_FILE = re.compile(r"[\w-][\w.@-]{0,240}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_PLACE = 10_000
# A descriptor has 1176 numbers; this many leave room for longer ones.
MAX_VIEW_LENGTH = 1 << 14


@dataclass(frozen=True)
class Entry:
    """A map of the library.

    Attributes:
        name: unique in the library.
        place: where it belongs, for hints; any text.
        bytes: of the map file.
        heads: in it.
        extent: of the mapping cameras, in its unit.
        unit: ``meter`` or ``unknown``.
        backbone: fingerprint.
        short_side: of the views that its heads want, in pixels.
        latitude: of the map's origin in degrees, if it is known.
        longitude: likewise, -180 to 180.
        heading: of the map's y axis, in degrees clockwise from north.
        file: its file in the library.
        sha256: digest of the file; None where an earlier version added the map.
    """

    name: str
    place: str | None
    bytes: int
    heads: int
    extent: float
    unit: str
    backbone: str
    short_side: int
    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None
    file: str = ""
    sha256: str | None = None


@dataclass(frozen=True)
class Hint:
    """What is known about where an image was taken; all that is given must hold.

    Attributes:
        place: as the maps have it.
        latitude: in degrees, with longitude and radius.
        longitude: in degrees.
        radius: in metres.

    Raises:
        OptionError: half a position, an impossible one, or a place that is no text.
    """

    place: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        position = (self.latitude, self.longitude, self.radius)
        if any(value is None for value in position) and position != (None, None, None):
            raise OptionError("a position needs latitude, longitude and a radius in metres")
        if self.latitude is not None and self.longitude is not None and self.radius is not None:
            check_position(self.latitude, self.longitude)
            if not 0 < self.radius < math.inf:
                raise OptionError("the radius must be positive, in metres")
        if self.place is not None:
            check_place(self.place)


def is_text(value: Any) -> bool:
    """Whether it is one line of text, which systems and databases take.

    JSON and the names of files can hold control characters and lone surrogates, which they do not.
    """
    return isinstance(value, str) and not any(category(letter) in ("Cc", "Cs") for letter in value)


def is_name(value: Any) -> bool:
    """Whether a map may be called so."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_file(value: Any) -> bool:
    """Whether a file of a map may be called so; it leads out of no folder."""
    return isinstance(value, str) and _FILE.fullmatch(value) is not None


def check_position(latitude: float, longitude: float) -> None:
    """Raises OptionError for what is no position on earth."""
    if not _is_position(latitude, longitude):
        raise OptionError("latitude is -90 to 90 and longitude -180 to 180, in degrees")


def check_place(place: str) -> None:
    """Raises OptionError for a place that no index can hold."""
    if len(place) > MAX_PLACE or not is_text(place):
        raise OptionError(f"a place is a line of text, of at most {MAX_PLACE} characters")


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row of an index, in the order of its fields.

    Raises:
        ValueError: something in it is no such thing as an index holds.
    """
    entry = Entry(*row)
    wrong = [name for name, right in _RIGHT.items() if not right(getattr(entry, name))]
    if (entry.latitude is None) != (entry.longitude is None):
        wrong.append("position")
    if wrong:
        called = entry.name if is_name(entry.name) else "a map"
        raise ValueError(f"{called} has an impossible {wrong[0]}")
    return entry


def views_of(length: Any, blob: Any) -> NDArray[np.int8]:
    """The (V, D) descriptors in a row of an index.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(length, int) or not isinstance(blob, bytes):
        raise ValueError("views that are none")
    if not 0 <= length <= MAX_VIEW_LENGTH or (len(blob) % length if length else len(blob)):
        raise ValueError("views of an impossible length")
    if length and len(blob) // length > MAX_REGIONS * MAX_VIEWS:
        raise ValueError("more views than a map can have")
    return np.frombuffer(blob, np.int8).reshape(-1, max(length, 1))


def map_views(scene_map: SceneMap) -> NDArray[np.int8]:
    """(V, D) descriptors of all regions of a map.

    Raises:
        ValueError: no two of them can be compared, or no index can hold them.
    """
    views = [region.views for region in scene_map.regions if len(region.views)]
    if not views:
        return np.zeros((0, 0), np.int8)
    lengths = {region.shape[1] for region in views}
    if len(lengths) > 1 or not 0 < max(lengths) <= MAX_VIEW_LENGTH:
        raise ValueError("views of impossible lengths")
    return np.concatenate(views)


def _is_position(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and low <= value <= high


def _real(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, float) and low <= value <= high and math.isfinite(value)


def _maybe(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or right(value)


_RIGHT: dict[str, Callable[[Any], bool]] = {
    "name": is_name,
    "place": _maybe(lambda value: isinstance(value, str) and len(value) <= MAX_PLACE),
    "bytes": _whole(0, 1 << 62),
    "heads": _whole(1, MAX_REGIONS),
    "extent": _real(0, math.inf),
    "unit": lambda value: value in ("metre", "unknown"),
    "backbone": lambda value: isinstance(value, str) and len(value) <= 1000,
    "short_side": _whole(1, MAX_SHORT_SIDE),
    "latitude": _maybe(_real(-90, 90)),
    "longitude": _maybe(_real(-180, 180)),
    "heading": _maybe(_real(-math.inf, math.inf)),
    "file": is_file,
    "sha256": _maybe(lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value))),
}
