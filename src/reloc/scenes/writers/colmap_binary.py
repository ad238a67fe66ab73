"""COLMAP's binary model, with points and tracks, as gsplat, nerfstudio and COLMAP open it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.progress import Progress
from reloc.scenes.colmap_model import CAMERA, COUNT, IMAGE, MODELS, POINT
from reloc.scenes.scene import Frame
from reloc.scenes.writers.content import Content, copy_images, pose_of

_MODEL_IDS = {name: number for number, (name, _) in MODELS.items()}
_NO_ERROR = -1.0
_POINT2D = np.dtype([("x", "<f8"), ("y", "<f8"), ("point", "<u8")])
_ELEMENT = np.dtype([("image", "<u4"), ("index", "<u4")])  # of a track


@dataclass(frozen=True)
class Sighting:
    """What an image sees of a cloud.

    Attributes:
        pixels: (M, 2) where, centres of pixels at +0.5.
        points: (M,) rows of the points, each once.
    """

    pixels: NDArray[np.float64]
    points: NDArray[np.intp]


def write_colmap_with_points(
    content: Content,
    folder: Path,
    *,
    points: NDArray[np.float64],
    colours: NDArray[np.uint8],
    sightings: Sequence[Sighting],
    progress: Progress,
) -> None:
    """Writes images and a binary model into an empty folder.

    Points get the ids 1 to N, images theirs in the order of the frames.

    Args:
        content: the frames.
        folder: where to.
        points: (N, 3) in the world.
        colours: (N, 3) RGB.
        sightings: what each frame sees of the points.
        progress: told of every image that is copied.

    Raises:
        ImageError: an image is missing.
    """
    names = content.names_in_images()
    copy_images({folder / "images" / names[f.name]: f.image for f in content.frames}, progress)
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    _write_frames(model, content.frames, names, sightings)
    tracks = _tracks(len(points), sightings)
    rows = (
        POINT.pack(number, *point, *colour, _NO_ERROR, len(track) // _ELEMENT.itemsize) + track
        for number, (point, colour, track) in enumerate(
            zip(points.tolist(), colours.tolist(), tracks, strict=True), start=1
        )
    )
    (model / "points3D.bin").write_bytes(COUNT.pack(len(points)) + b"".join(rows))


def write_binary_model(folder: Path, frames: Sequence[Frame], names: Mapping[str, str]) -> None:
    """Writes a binary model without points; unlike a text model it holds names with spaces.

    Args:
        folder: where to; made if missing.
        frames: posed frames.
        names: the name in the model of each frame's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    nothing = Sighting(np.zeros((0, 2)), np.zeros(0, np.intp))
    _write_frames(folder, frames, names, [nothing] * len(frames))
    (folder / "points3D.bin").write_bytes(COUNT.pack(0))


def _tracks(count: int, sightings: Sequence[Sighting]) -> list[bytes]:
    """For each point the images that see it, and which of their 2D points it is."""
    seen = np.array([len(sighting.points) for sighting in sightings], np.intp)
    elements = np.zeros(seen.sum(), _ELEMENT)
    elements["image"] = np.repeat(np.arange(1, len(seen) + 1), seen)
    elements["index"] = np.arange(seen.sum()) - np.repeat(np.cumsum(seen) - seen, seen)
    points = np.concatenate([sighting.points for sighting in sightings])
    elements = elements[np.argsort(points, kind="stable")]
    ends = np.cumsum(np.bincount(points, minlength=count)).tolist()
    return [elements[start:end].tobytes() for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _write_frames(
    model: Path,
    frames: Sequence[Frame],
    names: Mapping[str, str],
    sightings: Sequence[Sighting],
) -> None:
    """``cameras.bin`` and ``images.bin``."""
    cameras: dict[Camera, int] = {}
    images = []
    for number, (frame, seen) in enumerate(zip(frames, sightings, strict=True), start=1):
        camera_id = cameras.setdefault(frame.camera, len(cameras) + 1)
        pose = inverted(pose_of(frame))
        quaternion = quaternion_from_rotation(pose[:3, :3])
        entry = IMAGE.pack(number, *quaternion, *pose[:3, 3], camera_id)
        name = names[frame.name].encode("utf-8", "surrogateescape") + b"\0"
        points = np.zeros(len(seen.points), _POINT2D)
        points["x"], points["y"] = seen.pixels.T
        points["point"] = seen.points + 1
        images.append(entry + name + COUNT.pack(len(points)) + points.tobytes())
    (model / "images.bin").write_bytes(COUNT.pack(len(images)) + b"".join(images))
    entries = [
        CAMERA.pack(number, _MODEL_IDS[c.model], c.width, c.height)
        + np.array(c.params, "<f8").tobytes()
        for c, number in cameras.items()
    ]
    (model / "cameras.bin").write_bytes(COUNT.pack(len(entries)) + b"".join(entries))
