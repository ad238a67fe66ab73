"""Positions on the WGS84 ellipsoid, and the East-North-Up frame at one of them.

Heights are above the ellipsoid. Those that photos and maps tell are mostly above sea level, which
differs from it by up to 107 m, by the same amount all over a place.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.errors import OptionError

Array = NDArray[np.float64]

# NIMA TR8350.2: semi-major axis in metres, flattening.
_A, _F = 6378137.0, 1 / 298.257223563
_B, _E2 = _A * (1 - _F), _F * (2 - _F)
# The deepest well and the highest satellites of navigation leave nothing of a place beyond.
MAX_HEIGHT = 1e6


@dataclass(frozen=True)
class Geodetic:
    """A position on Earth.

    Attributes:
        latitude: degrees north.
        longitude: degrees east, -180 to 180.
        height: metres above the ellipsoid.

    Raises:
        OptionError: none on Earth.
    """

    latitude: float
    longitude: float
    height: float = 0.0

    def __post_init__(self) -> None:
        if not (
            abs(self.latitude) <= 90
            and abs(self.longitude) <= 180
            and abs(self.height) <= MAX_HEIGHT
        ):
            raise OptionError(
                f"{self.latitude:g}, {self.longitude:g}, {self.height:g} is no position on Earth; "
                "give degrees north, degrees east and metres"
            )


def ecef(position: Geodetic) -> Array:
    """The Earth-centred, Earth-fixed position (3,) in metres."""
    latitude, longitude = math.radians(position.latitude), math.radians(position.longitude)
    radius = _A / math.sqrt(1 - _E2 * math.sin(latitude) ** 2)
    flat = (radius + position.height) * math.cos(latitude)
    return np.array(
        [
            flat * math.cos(longitude),
            flat * math.sin(longitude),
            (radius * (1 - _E2) + position.height) * math.sin(latitude),
        ]
    )


def geodetic(position: ArrayLike) -> Geodetic:
    """The position on Earth of an Earth-centred, Earth-fixed one (3,) in metres.

    Bowring's iteration (Survey Review, 1976), to less than a micrometre near the ground.
    """
    x, y, z = (float(value) for value in np.asarray(position, np.float64))
    flat = math.hypot(x, y)
    reduced = math.atan2(z * _A, flat * _B)
    for _ in range(4):
        latitude = math.atan2(
            z + _E2 / (1 - _E2) * _B * math.sin(reduced) ** 3,
            flat - _E2 * _A * math.cos(reduced) ** 3,
        )
        reduced = math.atan2((1 - _F) * math.sin(latitude), math.cos(latitude))
    sine, cosine = math.sin(latitude), math.cos(latitude)
    # This form holds at the poles, too.
    height = flat * cosine + z * sine - _A * math.sqrt(1 - _E2 * sine**2)
    return Geodetic(math.degrees(latitude), math.degrees(math.atan2(y, x)), height)


def enu_from_ecef(origin: Geodetic) -> Array:
    """The rotation (3, 3) from Earth-centred axes to east, north and up at a position."""
    latitude, longitude = math.radians(origin.latitude), math.radians(origin.longitude)
    sin_lat, cos_lat = math.sin(latitude), math.cos(latitude)
    sin_lon, cos_lon = math.sin(longitude), math.cos(longitude)
    return np.array(
        [
            [-sin_lon, cos_lon, 0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )


def enu(position: Geodetic, origin: Geodetic) -> Array:
    """A position (3,) in metres east, north and up of an origin."""
    return enu_from_ecef(origin) @ (ecef(position) - ecef(origin))


def from_enu(position: ArrayLike, origin: Geodetic) -> Geodetic:
    """The position on Earth of one (3,) in metres east, north and up of an origin."""
    offset = np.asarray(position, np.float64)
    return geodetic(ecef(origin) + enu_from_ecef(origin).T @ offset)
