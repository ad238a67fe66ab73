"""ACE's folders: ``{train,test}/{rgb,poses,calibration,depth}``, one file per frame in each.

Poses are camera-to-world, the calibration is a 3x3 matrix, so a camera must be free of distortion.
Depth is in millimetres, seen by the colour camera.
"""

from pathlib import Path

import numpy as np

from reloc.errors import CameraError, SceneError
from reloc.geometry.poses import Array
from reloc.images.files import read_depth, write_image
from reloc.progress import Progress
from reloc.scenes.scene import Depth, Frame
from reloc.scenes.writers.content import Content, copy_images

_MILLIMETRE = 0.001
_INVALID = 65535


def write_ace(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks on depth that was left out.

    Names lose their folders, which become part of the file name.

    Raises:
        SceneError: a camera has distortion.
        ImageError: an image or depth image is missing or damaged.
    """
    for frame in content.frames:
        if any(frame.camera.distortion) or "FISHEYE" in frame.camera.model:
            raise SceneError(
                f"{content.root}: ACE folders cannot hold the distortion of a "
                f"{frame.camera.model} camera; convert to colmap or transforms instead"
            )
    images: dict[Path, Path] = {}
    depths: dict[Path, Depth] = {}
    without_depth = 0
    for split, frames in (("train", content.mapping), ("test", content.queries)):
        for kind in ("rgb", "poses", "calibration"):
            (folder / split / kind).mkdir(parents=True)
        for frame, stem in zip(frames, _stems(frames), strict=True):
            images[folder / split / "rgb" / (stem + frame.image.suffix)] = frame.image
            if frame.world_from_cam is not None:
                _write_matrix(folder / split / "poses" / f"{stem}.txt", frame.world_from_cam)
            _write_matrix(folder / split / "calibration" / f"{stem}.txt", frame.camera.matrix())
            if frame.depth is not None and content.metric and _same_view(frame, frame.depth):
                depths[folder / split / "depth" / f"{stem}.png"] = frame.depth
            elif frame.depth is not None:
                without_depth += 1
    copy_images(images, progress)
    for count, (path, depth) in enumerate(depths.items(), start=1):
        _write_depth(path, depth)
        progress("depth", count, len(depths))
    if not without_depth:
        return []
    why = (
        "ACE folders hold depth of the colour camera only"
        if content.metric
        else "ACE folders hold depth in millimetres and the scene's unit is unknown"
    )
    return [f"left out the depth of {without_depth} frames: {why}"]


def _stems(frames: tuple[Frame, ...]) -> list[str]:
    """A file name without suffix for each frame, unique, with the folders as a part of it."""
    stems: list[str] = []
    taken: set[str] = set()
    for frame in frames:
        name = frame.name
        for folder in ("images/", "train/rgb/", "test/rgb/"):
            name = name.removeprefix(folder)
        plain = name.replace("/", "-").removesuffix(frame.image.suffix)
        stem, count = plain, 1
        while stem in taken:
            count += 1
            stem = f"{plain}-{count}"
        taken.add(stem)
        stems.append(stem)
    return stems


def _write_matrix(path: Path, matrix: Array) -> None:
    lines = (" ".join(repr(float(value)) for value in row) for row in matrix)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _same_view(frame: Frame, depth: Depth) -> bool:
    """Whether depth has the intrinsics of the colour image, at whatever size."""
    try:
        colour = frame.camera.resized(depth.camera.width, depth.camera.height)
    except CameraError:
        return False
    return not any(depth.camera.distortion) and bool(
        np.allclose(colour.matrix(), depth.camera.matrix(), atol=0.01)
    )


def _write_depth(path: Path, depth: Depth) -> None:
    stored = read_depth(depth.path)
    millimetres = np.rint(stored * (depth.unit / _MILLIMETRE))
    valid = ~np.isin(stored, (*depth.invalid, 0)) & (millimetres < _INVALID)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.where(valid, millimetres, 0).astype(np.uint16)
    write_image(path, image)
