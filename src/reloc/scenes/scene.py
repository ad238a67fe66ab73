"""A scene: posed frames of one place, and what was left out of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Depth:
    """A depth image of a frame, seen from the frame's pose.

    Attributes:
        path: 16-bit single-channel image.
        camera: its own intrinsics, which need not be those of the colour image.
        unit: scene units per stored step (0.001 for millimetres in a metric scene).
        invalid: stored values that mean "nothing measured".
        confidence: image of the same size that says how far each pixel is to be relied on.
        least: what it says of pixels that count; those below it are as if not measured.
    """

    path: Path
    camera: Camera
    unit: float = 0.001
    invalid: tuple[int, ...] = (0, 65535)
    confidence: Path | None = None
    least: int = 1


@dataclass(frozen=True)
class Mask:
    """What of an image is not mapped; see ``reloc.scenes.masks``.

    Attributes:
        path: image of the same shape, black where the image does not count; None where it has none.
        border: pixels along each side of the image that do not count.
    """

    path: Path | None = None
    border: int = 0


@dataclass(frozen=True)
class Frame:
    """One image with its camera and, where known, its pose.

    Attributes:
        name: unique within the scene; the path below the scene's folder, with forward slashes.
        image: the file.
        camera: intrinsics at the size that the file has.
        world_from_cam: (4, 4) float64, or None if nobody knows.
        depth: measured depth, if there is any.
        time: seconds, if the format tells.
        mask: what of the image is not mapped, if there is such.
    """

    name: str
    image: Path
    camera: Camera
    world_from_cam: Array | None
    depth: Depth | None = None
    time: float | None = None
    mask: Mask | None = None


def posed(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """Those of the frames whose pose is known."""
    return tuple(frame for frame in frames if frame.world_from_cam is not None)


def poses_of(frames: Iterable[Frame]) -> Array:
    """``world_from_cam`` (N, 4, 4) of those of the frames whose pose is known."""
    poses = [frame.world_from_cam for frame in frames if frame.world_from_cam is not None]
    return np.array(poses, np.float64).reshape(-1, 4, 4)


@dataclass(frozen=True)
class Skipped:
    """A frame that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Model:
    """The COLMAP model that a scene was read from.

    Attributes:
        folder: of ``cameras``, ``images`` and ``points3D``.
        names: name of the frame for each image that the model names.
    """

    folder: Path
    names: Mapping[str, str]


@dataclass(frozen=True)
class Scene:
    """Posed frames of one place.

    Attributes:
        name: the folder's name.
        root: the folder.
        layout: which reader understood it, for instance ``colmap``.
        mapping: frames that build a map.
        queries: frames to localize, held back from mapping.
        unit: ``meter`` where the data is metric, else ``unknown``.
        skipped: frames that were found but cannot be used.
        notes: one-line remarks of the reader that a user should see.
        model: the COLMAP model of layout ``colmap``.
    """

    name: str
    root: Path
    layout: str
    mapping: tuple[Frame, ...]
    queries: tuple[Frame, ...] = ()
    unit: Literal["metre", "unknown"] = "unknown"
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = field(default=())
    model: Model | None = None

    def mapping_centers(self) -> Array:
        """Centres (N, 3) of the mapping cameras in the world."""
        return poses_of(self.mapping)[:, :3, 3]

    def extent(self) -> float:
        """Largest side of the bounding box of the mapping camera centres, in scene units."""
        centers = self.mapping_centers()
        return float(np.ptp(centers, axis=0).max()) if len(centers) else 0.0

    def scaled(self, factor: float) -> "Scene":
        """The same scene with another unit of length: every position times ``factor``."""

        def scaled_frame(frame: Frame) -> Frame:
            depth = frame.depth and replace(frame.depth, unit=frame.depth.unit * factor)
            pose = frame.world_from_cam
            if pose is not None:
                pose = pose.copy()
                pose[:3, 3] *= factor
            return replace(frame, world_from_cam=pose, depth=depth)

        return replace(
            self,
            mapping=tuple(map(scaled_frame, self.mapping)),
            queries=tuple(map(scaled_frame, self.queries)),
            unit="unknown",
        )
