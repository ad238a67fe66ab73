"""Frames of a video whose poses are known, written as images: the sharpest of each stretch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import SceneError
from reloc.geometry import rotation_angle_deg
from reloc.images.files import write_image
from reloc.images.videos import show_frames
from reloc.sampling import evenly
from reloc.scenes.derived import derived_folder
from reloc.scenes.found_poses import FoundPose

# A camera that has moved or turned by this much, in metres and degrees, sees something else.
_MOVED, _TURNED = 0.1, 8.0
# What a map gains from more frames of a walk is not worth their place on the disk.
MOST_FRAMES = 1500
# Of a stretch in which the camera hardly moves, so many frames are compared.
_COMPARED = 4
_QUALITY = 92
_LIST = "frames.json"


@dataclass(frozen=True)
class VideoFrames:
    """Images of a video.

    Attributes:
        images: by the number of the row of the capture that belongs to it.
        missing: frames that the decoder dropped at the start.
    """

    images: dict[int, Path]
    missing: int


def frames_of_rows(video: Path, poses: Sequence[FoundPose], *, rows_file: Path) -> VideoFrames:
    """The sharpest frames of a video, evenly by motion, each with the row that belongs to it.

    A recording has a row for each frame. Some decoders drop the first frame, which is stamped
    before the start, so that there may be one frame less; then it is the first that is missing.

    Args:
        video: the file.
        poses: of the rows, metric.
        rows_file: names the rows, for the error.

    Raises:
        SceneError: there are more frames than rows, or less than all but the first.
        ImageError: the video cannot be decoded.
    """
    stretches = stretches_of(poses)
    folder = derived_folder(video, lambda target: _write(video, target, stretches))
    kept, count = _read_list(folder / _LIST)
    missing = len(poses) - count
    if missing not in (0, 1):
        raise SceneError(
            f"{video}: has {count} frames, but {rows_file.name} has {len(poses)} rows, so that "
            "nothing tells which belong together; copy the recording again"
        )
    images = {at + missing: folder / _name(at) for at in kept if at + missing < len(poses)}
    return VideoFrames(images, missing)


def stretches_of(poses: Sequence[FoundPose], *, most: int = MOST_FRAMES) -> list[tuple[int, ...]]:
    """Numbers of the rows with a pose, in stretches over which the camera moves equally much.

    Args:
        poses: of all rows.
        most: stretches; where there would be more, they are longer.
    """
    scale = 1.0
    while len(found := _stretches(poses, scale)) > most:
        scale *= 1.3
    return found


def _stretches(poses: Sequence[FoundPose], scale: float) -> list[tuple[int, ...]]:
    stretches, last = list[list[int]](), None
    for number, (pose, _) in enumerate(poses):
        if pose is None:
            continue
        if last is not None:
            moved = float(np.linalg.norm(pose[:3, 3] - last[:3, 3]))
            turned = rotation_angle_deg(pose[:3, :3], last[:3, :3])
            if moved < _MOVED * scale and turned < _TURNED * scale:
                stretches[-1].append(number)
                continue
        stretches.append([number])
        last = pose
    return [tuple(stretch) for stretch in stretches]


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _write(video: Path, target: Path, stretches: Sequence[Sequence[int]]) -> None:
    """Writes the sharpest frame of each stretch; what was best so far is replaced."""
    stretch_of = {
        number: at for at, stretch in enumerate(stretches) for number in evenly(stretch, _COMPARED)
    }
    best: dict[int, tuple[float, int]] = {}

    def look(number: int, pixels: NDArray[np.uint8]) -> None:
        stretch, sharpness = stretch_of[number], _sharpness(pixels)
        known = best.get(stretch)
        if known is None or sharpness > known[0]:
            if known is not None:
                (target / _name(known[1])).unlink()
            write_image(target / _name(number), pixels, quality=_QUALITY)
            best[stretch] = (sharpness, number)

    count = show_frames(video, look, stretch_of)
    kept = sorted(number for _, number in best.values())
    (target / _LIST).write_text(json.dumps({"count": count, "kept": kept}), encoding="utf-8")


def _read_list(path: Path) -> tuple[list[int], int]:
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        return [int(number) for number in value["kept"]], int(value["count"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneError(f"{path.parent}: is damaged; remove it, and it is made again") from error


def _sharpness(pixels: NDArray[np.uint8]) -> float:
    """Contrast of the finest detail, at a size at which noise does not count for it."""
    height, width = pixels.shape[:2]
    scale = min(1.0, 640 / max(width, height))
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var())
