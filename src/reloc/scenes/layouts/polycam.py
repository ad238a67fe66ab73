"""Polycam's raw data: keyframes/{images, cameras, depth, confidence} and a corrected pair."""

from pathlib import Path
from typing import Any

from reloc.scenes.found_poses import of_opengl, pose_of_matrix
from reloc.scenes.json_files import read_json
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, known_camera, no_camera
from reloc.scenes.scene import Mask
from reloc.scenes.text import image_files

LAYOUT = "polycam"
LOOKS_FOR = "keyframes/images with keyframes/cameras (raw data of Polycam)"

_PAIRS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
_POSE = [f"t_{row}{column}" for row in range(3) for column in range(4)]
# Of 0, 127 and 255.
_LEAST_CONFIDENCE = 127
# Pixels along the sides of corrected images that may be black: undistorting leaves 5 to 15.
_BORDER = 15


def matches(root: Path) -> bool:
    """Whether a folder holds keyframes of Polycam."""
    return _pair(root / "keyframes") is not None


def read(root: Path) -> RawScene:
    """The corrected images with the corrected cameras if there are both, else the original pair.

    Corrected poses are those after Polycam has closed loops; its corrected images are undistorted,
    so that each belongs to the camera of its own kind alone, and have black borders, which are
    masked. Poses are camera-to-world with ARKit's
    axes (OpenGL's), row by row; metres, y up. Depth is in millimetres and that of the original
    image.

    Raises:
        SceneError: a camera is no JSON.
    """
    folder = root / "keyframes"
    pair = _pair(folder)
    assert pair is not None
    images, cameras = pair
    frames = []
    for image in image_files(folder / images):
        camera, pose, time = _read(folder / cameras / f"{image.stem}.json")
        original = folder / "cameras" / f"{image.stem}.json"
        frames.append(
            RawFrame(
                name=f"keyframes/{images}/{image.name}",
                image=image,
                camera=camera,
                world_from_cam=pose[0],
                pose_fault=pose[1],
                depth=_depth(folder, image.stem, _read(original)[0] if original.exists() else None),
                time=time,
                mask=Mask(border=_BORDER) if images.startswith("corrected") else None,
            )
        )
    frames.sort(key=lambda frame: (len(frame.image.stem), frame.image.stem))
    return RawScene(tuple(frames), unit="metre", tracked=images == "images")


def _pair(folder: Path) -> tuple[str, str] | None:
    """The folders of images and cameras, which are of one kind."""
    for images, cameras in _PAIRS:
        if image_files(folder / images) and any((folder / cameras).glob("*.json")):
            return images, cameras
    return None


def _read(path: Path) -> tuple[CameraSource, Any, float | None]:
    """Camera, pose and time of a frame."""
    if not path.is_file():
        reason = f"no such file: {path.name}"
        return no_camera(reason), (None, reason), None
    entry = read_json(path, dict, "camera of a frame")
    pose = of_opengl(pose_of_matrix([entry.get(key) for key in _POSE], "t_00 to t_23"))
    values = [entry.get(key) for key in ("width", "height", "fx", "fy", "cx", "cy")]
    if not all(type(value) in (int, float) for value in values):
        return no_camera(f"{path.name} lacks width, height, fx, fy, cx or cy"), pose, None
    time = entry.get("timestamp")
    seconds = time / 1e6 if type(time) in (int, float) and abs(time) < 1e18 else None
    return known_camera("PINHOLE", values[0], values[1], values[2:]), pose, seconds


def _depth(folder: Path, stem: str, camera: CameraSource | None) -> RawDepth | None:
    path, confidence = folder / "depth" / f"{stem}.png", folder / "confidence" / f"{stem}.png"
    if not path.is_file():
        return None
    return RawDepth(path, camera, confidence=confidence if confidence.is_file() else None,
                    least=_LEAST_CONFIDENCE)  # fmt: skip
