"""Where on Earth a photo says that it was taken."""

import math
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from reloc.images.pillow import opened

_SOUTH_OR_WEST = {"S", "W"}
# Below sea level, and below the ellipsoid (EXIF 3.0).
_BELOW = {1, 3}


def read_position(path: Path) -> tuple[float, float, float] | None:
    """Degrees north, degrees east, and height in metres as EXIF has them; None if it has none.

    The height is NaN where only that is missing. It is above sea level in most photos.
    """
    try:
        with opened(path) as image:
            tags = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            return _position_of(tags)
    except (
        OSError, ValueError, TypeError, SyntaxError, ArithmeticError, KeyError, IndexError,
        AttributeError, RuntimeError, Image.DecompressionBombError,
    ):  # fmt: skip
        return None


def _position_of(tags: Any) -> tuple[float, float, float] | None:
    gps = ExifTags.GPS
    latitude = _degrees(tags[gps.GPSLatitude], tags.get(gps.GPSLatitudeRef))
    longitude = _degrees(tags[gps.GPSLongitude], tags.get(gps.GPSLongitudeRef))
    # Phones without a fix write zeros.
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude, longitude) == (0, 0):
        return None
    height = math.nan
    if gps.GPSAltitude in tags:
        below = tags.get(gps.GPSAltitudeRef) or 0
        below = below[0] if isinstance(below, bytes) else int(below)
        height = float(tags[gps.GPSAltitude]) * (-1 if below in _BELOW else 1)
    return latitude, longitude, height if abs(height) < 1e5 else math.nan


def _degrees(parts: Any, reference: Any) -> float:
    whole, minutes, seconds = (float(part) for part in parts)
    value = whole + minutes / 60 + seconds / 3600
    if not math.isfinite(value):
        raise ValueError("no position")
    return -value if reference in _SOUTH_OR_WEST else value
