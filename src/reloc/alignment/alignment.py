"""What a map knows of the frame that people use: up, metres, a place on Earth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.alignment.earth import Geodetic, enu_from_ecef, from_enu
from reloc.alignment.similarity import Similarity
from reloc.geometry import pose_from, pose_problem, quaternion_from_rotation
from reloc.untrusted import items, number, record, text

Array = NDArray[np.float64]

_MOST = 1e12
# Metres from the origin beyond which no map of a place reaches.
_FAR = 1e5
# Axes of a camera body as GeoPose has them (x forward, y left, z up), in those of OpenCV.
_CAM_FROM_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True)
class Alignment:
    """How the world of a map lies in an aligned frame. Poses stay in the map's own world.

    Attributes:
        aligned_from_world: of points and, by ``Similarity.pose``, of poses.
        up_by: what told, in words, that z of the aligned frame is up; None where it need not be.
        metres_by: what told its unit, the metre; None where that is not known.
        origin: where on Earth the aligned frame has its origin; its axes are east, north and up
            there. None where that is not known.
        deviation: standard deviation of the positions that it was fitted to, in aligned units;
            None where nothing tells it.
    """

    aligned_from_world: Similarity
    up_by: str | None = None
    metres_by: str | None = None
    origin: Geodetic | None = None
    deviation: float | None = None

    @property
    def up(self) -> Array | None:
        """The direction (3,) against gravity in the map's world; None where that is not known."""
        return None if self.up_by is None else self.aligned_from_world.rotation[2]

    def place(self, point: ArrayLike) -> Geodetic | None:
        """Where on Earth a point (3,) of the map's world is.

        None where nobody knows, and of points that are nowhere near the place.
        """
        aligned = self.aligned_from_world.points(point)[0]
        if self.origin is None or not float(np.abs(aligned).max()) <= _FAR:
            return None
        return from_enu(aligned, self.origin)

    def geopose(self, world_from_cam: ArrayLike) -> dict[str, dict[str, float]] | None:
        """A pose (4, 4) as a Basic-Quaternion of OGC GeoPose 1.0; None without a place.

        Nor is there one for poses that are nowhere near the place.
        The quaternion turns the body of the camera (x forward, y left, z up) into east, north and
        up at its own position.
        """
        pose = self.aligned_from_world.pose(world_from_cam)
        here = self.place(np.asarray(world_from_cam, np.float64)[:3, 3])
        if here is None or self.origin is None:
            return None
        turn = enu_from_ecef(here) @ enu_from_ecef(self.origin).T @ pose[:3, :3] @ _CAM_FROM_BODY
        w, x, y, z = quaternion_from_rotation(turn).tolist()
        return {
            "position": {"lat": here.latitude, "lon": here.longitude, "h": here.height},
            "quaternion": {"x": x, "y": y, "z": z, "w": w},
        }


def alignment_record(alignment: Alignment | None) -> dict[str, Any] | None:
    """What the header of a map says of it, in JSON types."""
    if alignment is None:
        return None
    origin, similarity = alignment.origin, alignment.aligned_from_world
    return {
        "scale": similarity.scale,
        "rotation": similarity.rotation.tolist(),
        "translation": similarity.translation.tolist(),
        "up_by": alignment.up_by,
        "metres_by": alignment.metres_by,
        "origin": origin and [origin.latitude, origin.longitude, origin.height],
        "deviation": alignment.deviation,
    }


def read_alignment(value: Any) -> Alignment | None:
    """What a header says; None in maps that were not aligned.

    Raises:
        KeyError, ValueError: an entry is missing or impossible.
    """
    if value is None:
        return None
    told = record(value, "alignment")
    rows = items(told["rotation"], "rotation of the alignment", most=3)
    rotation = np.array([_numbers(row, "rotation of the alignment", most=2) for row in rows])
    if rotation.shape != (3, 3) or pose_problem(pose_from(rotation, np.zeros(3))):
        raise ValueError("impossible rotation of the alignment")
    return Alignment(
        Similarity(
            number(told["scale"], "scale of the alignment", least=1 / _MOST, most=_MOST),
            rotation,
            np.array(_numbers(told["translation"], "translation of the alignment", most=_MOST)),
        ),
        up_by=_words(told["up_by"]),
        metres_by=_words(told["metres_by"]),
        origin=_origin(told),
        deviation=None
        if told["deviation"] is None
        else number(told["deviation"], "deviation of the alignment", least=0, most=_MOST),
    )


def _numbers(value: Any, name: str, *, most: float) -> list[float]:
    values = [number(v, name, least=-most, most=most) for v in items(value, name, most=3)]
    if len(values) != 3:
        raise ValueError(f"impossible {name}")
    return values


def _words(value: Any) -> str | None:
    return None if value is None else text(value, "alignment")


def _origin(told: Mapping[str, Any]) -> Geodetic | None:
    if told["origin"] is None:
        return None
    latitude, longitude, height = _numbers(told["origin"], "origin of the alignment", most=1e6)
    return Geodetic(
        number(latitude, "latitude", least=-90, most=90),
        number(longitude, "longitude", least=-180, most=180),
        height,
    )
