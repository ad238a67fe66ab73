"""Panoramas of a scene, cut into perspective views that share their centre."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.geometry import Camera, pose_from
from reloc.images.files import image_size, read_image, write_image
from reloc.scenes.derived import derived_folder
from reloc.scenes.raw import PANORAMA_CAMERA, RawFrame, RawScene
from reloc.scenes.scene import Array, Mask

# Views all around; each sees 90 degrees, so that neighbours share a third.
YAWS = (0, 60, 120, 180, 240, 300)
# Of a view, in pixels; larger panoramas than 4000 pixels lose detail that maps do not use.
_LARGEST = 1280
_FOLDER = "panoramas"


def cut_panoramas(raw: RawScene, root: Path) -> RawScene:
    """A scene with the views of its panoramas in their place; others stay.

    A panorama is equirectangular: all around from left to right, from straight up to straight down;
    its middle is where its camera looks, so that it has the pose of a camera with OpenCV axes. What
    is above 45 degrees or below is left out. Views are written once, to ``panoramas.reloc`` in the
    scene's folder. Depth of panoramas is left out.

    Args:
        raw: what a reader found; panoramas have ``PANORAMA_CAMERA``.
        root: the scene's folder.
    """
    panoramas = [
        frame for frame in raw.frames if frame.camera is PANORAMA_CAMERA and frame.image.is_file()
    ]
    if not panoramas:
        return raw
    sources = [frame.image for frame in panoramas]
    sources += [frame.mask.path for frame in panoramas if frame.mask and frame.mask.path]
    folder = derived_folder(root / _FOLDER, lambda to: _write(panoramas, to), sources=sources)
    views = {id(frame): _views(frame, folder, number) for number, frame in enumerate(panoramas)}
    frames = [view for frame in raw.frames for view in views.get(id(frame), [frame])]
    note = f"{len(panoramas)} panoramas are cut into {len(YAWS)} views each, in {folder.name}"
    return replace(raw, frames=tuple(frames), notes=(*raw.notes, note))


def panorama_rotation(yaw: float) -> Array:
    """The rotation (3, 3) of a view in its panorama, turned to the right by so many degrees."""
    s, c = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _views(frame: RawFrame, folder: Path, number: int) -> list[RawFrame]:
    """The views of a panorama; itself, which is no frame, if it could not be cut."""
    found = []
    for yaw in YAWS:
        image = folder / _name(number, yaw)
        if not image.is_file():
            return [frame]
        pose = frame.world_from_cam
        mask = image.with_suffix(".mask.png")
        found.append(
            replace(
                frame,
                name=f"{frame.name}/{yaw:03d}.jpg",
                image=image,
                camera=lambda width, height: Camera.pinhole(
                    width=width, height=height, fx=width / 2
                ),
                world_from_cam=None
                if pose is None
                else pose @ pose_from(panorama_rotation(yaw), (0, 0, 0)),
                depth=None,
                mask=Mask(mask) if mask.is_file() else None,
            )
        )
    return found


def _name(number: int, yaw: int) -> str:
    return f"{number:05d}-{yaw:03d}.jpg"


def _write(panoramas: Sequence[RawFrame], target: Path) -> None:
    for number, frame in enumerate(panoramas):
        try:
            width, height = image_size(frame.image)
            if abs(width - 2 * height) > 0.01 * width:
                continue  # a part of one, or none
            pixels = read_image(frame.image)
            mask_path = frame.mask.path if frame.mask else None
            mask = None if mask_path is None else read_image(mask_path, gray=True)
        except ImageError:
            continue
        side = min(_LARGEST, max(1, round(width / np.pi)))
        for yaw in YAWS:
            path = target / _name(number, yaw)
            write_image(path, _view(pixels, side, yaw, cv2.INTER_LINEAR))
            if mask is not None:
                view = _view(mask, side, yaw, cv2.INTER_NEAREST)
                write_image(path.with_suffix(".mask.png"), view)


def _view(pixels: NDArray[np.uint8], side: int, yaw: int, interpolation: int) -> NDArray[np.uint8]:
    """A square view of 90 degrees; averaged first where it is much coarser than the panorama."""
    height, width = pixels.shape[:2]
    finer = width / (np.pi * side)
    if finer > 1.5 and interpolation != cv2.INTER_NEAREST:
        size = round(width / finer), round(height / finer)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = pixels.shape[:2]
    longitudes, latitudes = _directions(side)
    # A panorama goes on at its other side, and pixels are counted from the centre of the first.
    columns = ((longitudes + np.radians(yaw)) / (2 * np.pi) + 0.5) % 1.0 * width - 0.5
    rows = (0.5 - latitudes / np.pi) * height - 0.5
    drawn = cv2.remap(
        pixels,
        columns.astype(np.float32),
        rows.astype(np.float32),
        interpolation,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(drawn, np.uint8)


@lru_cache(maxsize=2)
def _directions(side: int) -> tuple[Array, Array]:
    """Longitude to the right and latitude upwards (side, side), in radians, of a view's pixels."""
    across = (np.arange(side) + 0.5) / (side / 2) - 1
    x, y = np.meshgrid(across, across)
    return np.arctan(x), np.arctan2(-y, np.hypot(x, 1))
