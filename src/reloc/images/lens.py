"""What the EXIF of a photo says of its lens, and of how the camera was held."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from reloc.errors import ImageError
from reloc.geometry import Camera, same_aspect
from reloc.images.pillow import opened

MAX_TEXT = 64
# The diagonal of a picture on 35 mm film, which the equivalent focal length refers to.
FILM_DIAGONAL_MM = 43.27
# Focal lengths that there are, and diagonals of sensors: from the smallest phone to medium format.
EQUIVALENTS_MM, FOCALS_MM, SENSORS_MM = (5.0, 2000.0), (0.5, 3000.0), (3.0, 90.0)
MAX_ZOOM = 100.0
# Quarter turns clockwise that make the stored picture upright, by the orientation tag. The other
# four tags are mirrored; no rigid pose has such a picture, so it is taken as stored.
_TURNS = {1: 0, 3: 2, 6: 1, 8: 3}
_EXIF_OF_PNG = {"exif", "Raw profile type exif"}
_MILLIMETERS = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


@dataclass(frozen=True)
class Lens:
    """What a photo says of its lens; of one that says nothing all fields are as by default.

    Attributes:
        make: of the camera.
        model: of the camera.
        focal_mm: focal length in millimetres.
        equivalent_mm: focal length at which 35 mm film shows as much; good to a few percent.
        zoom: how many times the picture was magnified after the lens.
        turn: quarter turns clockwise that make the stored picture upright; None if it does not say.

    Raises:
        ValueError: values that no lens has.
    """

    make: str = ""
    model: str = ""
    focal_mm: float | None = None
    equivalent_mm: float | None = None
    zoom: float = 1.0
    turn: int | None = None

    def __post_init__(self) -> None:
        if max(len(self.make), len(self.model)) > MAX_TEXT:
            raise ValueError(f"names of cameras have at most {MAX_TEXT} characters")
        for value, bounds in (
            (self.focal_mm, FOCALS_MM),
            (self.equivalent_mm, EQUIVALENTS_MM),
            (self.zoom, (1.0, MAX_ZOOM)),
        ):
            if value is not None and not bounds[0] <= value <= bounds[1]:
                raise ValueError(f"{value} is no focal length or zoom")
        if self.zoom is None:
            raise ValueError("a zoom is a number")
        if self.turn is not None and self.turn not in range(4):
            raise ValueError(f"{self.turn} is no number of quarter turns")

    @property
    def names_device(self) -> bool:
        """Whether it says which camera took the photo."""
        return bool(self.make or self.model)

    def same_device(self, other: "Lens") -> bool:
        """Whether both name the same camera."""
        return self.names_device and (self.make, self.model) == (other.make, other.model)

    def camera(self, width: int, height: int) -> Camera | None:
        """A pinhole camera by the equivalent focal length, for a picture that was not cropped.

        Args:
            width: of the picture, in pixels.
            height: of the picture.

        Returns:
            None if the lens does not tell.
        """
        if self.equivalent_mm is None:
            return None
        # The equivalent compares diagonals.
        focal = self.equivalent_mm / FILM_DIAGONAL_MM * math.hypot(width, height)
        return Camera.pinhole(width=width, height=height, fx=focal)


def read_lens(path: Path) -> Lens:
    """What a file says of its lens. A file that cannot be read says nothing."""
    try:
        with opened(path) as image:
            if image.format == "PNG" and not _EXIF_OF_PNG & image.info.keys():
                return Lens()  # Pillow would decode all of it to look behind the pixels
            size, tags = image.size, image.getexif()
            return _lens_of(tags, tags.get_ifd(ExifTags.IFD.Exif), size)
    except (
        OSError, ValueError, TypeError, SyntaxError, ArithmeticError, KeyError, IndexError,
        AttributeError, RuntimeError, Image.DecompressionBombError, ImageError,
    ):  # fmt: skip
        return Lens()


def _lens_of(tags: Any, details: Any, size: tuple[int, int]) -> Lens:
    focal = _within(details.get(ExifTags.Base.FocalLength), FOCALS_MM)
    equivalent = _within(details.get(ExifTags.Base.FocalLengthIn35mmFilm), EQUIVALENTS_MM)
    if equivalent is None and focal is not None:
        sensor = _sensor_diagonal(details, size)
        equivalent = _within(sensor and focal * FILM_DIAGONAL_MM / sensor, EQUIVALENTS_MM)
    return Lens(
        _text(tags.get(ExifTags.Base.Make)),
        _text(tags.get(ExifTags.Base.Model)),
        focal,
        equivalent,
        _within(details.get(ExifTags.Base.DigitalZoomRatio), (1.0, MAX_ZOOM)) or 1.0,
        _TURNS.get(tags.get(ExifTags.Base.Orientation)),
    )


def _sensor_diagonal(details: Any, size: tuple[int, int]) -> float | None:
    """Of the part of the sensor that the picture shows, in millimetres.

    The resolution belongs to the picture as the camera wrote it. It is believed if it is the same
    along both sides, the picture was not cropped, and there are sensors of that size.
    """
    unit = _MILLIMETERS.get(details.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    per_unit = [
        _number(details.get(tag))
        for tag in (ExifTags.Base.FocalPlaneXResolution, ExifTags.Base.FocalPlaneYResolution)
    ]
    pixels = [
        _number(details.get(tag))
        for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
    ]
    if unit is None or min(*per_unit, *pixels) <= 0 or abs(per_unit[0] / per_unit[1] - 1) > 0.03:
        return None
    written = (pixels[0], pixels[1])
    if not same_aspect(written, size) and not same_aspect(written, size[::-1]):
        return None
    sides = [count / density * unit for count, density in zip(pixels, per_unit, strict=True)]
    return _within(math.hypot(*sides), SENSORS_MM)


def _number(value: Any) -> float:
    """A tag as a number; 0 if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def _within(value: Any, bounds: tuple[float, float]) -> float | None:
    number = _number(value)
    return number if bounds[0] <= number <= bounds[1] else None


def _text(value: Any) -> str:
    """A name without what cannot be printed, and not longer than names are."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_TEXT])
    return " ".join(printable.split())[:MAX_TEXT].strip()
