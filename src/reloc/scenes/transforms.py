"""transforms.json of nerfstudio and instant-ngp: OpenGL axes, intrinsics in many spellings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reloc.errors import CameraError, SceneError
from reloc.geometry import Camera
from reloc.images.files import IMAGE_SUFFIXES
from reloc.scenes.names import inside
from reloc.scenes.raw import CameraSource, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import read_text

LAYOUT = "transforms"
LOOKS_FOR = "transforms.json, or transforms_train.json with transforms_test.json"

Part = Literal["mapping", "query", "neither"]

_FILES: tuple[tuple[str, Part], ...] = (
    ("transforms.json", "mapping"),
    ("transforms_train.json", "mapping"),
    ("transforms_val.json", "query"),
    ("transforms_test.json", "query"),
)
_SPLIT_LISTS: tuple[tuple[str, Part], ...] = (
    ("train_filenames", "mapping"),
    ("val_filenames", "query"),
    ("test_filenames", "query"),
)
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_COEFFICIENTS = ("k1", "k2", "k3", "k4", "p1", "p2")


def matches(root: Path) -> bool:
    return bool(_present(root))


def _present(root: Path) -> list[tuple[str, Part]]:
    """``transforms.json`` alone, or else the files of a split one."""
    found = [(name, part) for name, part in _FILES if (root / name).is_file()]
    return found[:1] if found and found[0][0] == "transforms.json" else found


def read(root: Path) -> RawScene:
    """Reads all frames, in the world of the file: ``applied_transform`` is not undone.

    Intrinsics of a frame win over those of the file. The scale is arbitrary, so the unit is
    unknown.

    Raises:
        SceneError: the file is no JSON of this kind.
    """
    frames, skipped, notes = list[RawFrame](), list[Skipped](), list[str]()
    for file, part in _present(root):
        path = root / file
        top = _parsed(path)
        split = _split(root, path, top)
        for number, entry in enumerate(top["frames"]):
            frame = _frame(root, top, entry, split, part)
            if isinstance(frame, RawFrame):
                frames.append(frame)
            else:
                skipped.append(Skipped(f"{file} frame {number}", frame))
        if "applied_transform" in top:
            notes.append(f"{file} has an applied_transform; poses stay in the world of the file")
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=tuple(notes))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        top = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path}: not valid JSON ({error}); export it again") from error
    if not isinstance(top, dict) or not isinstance(top.get("frames"), list):
        raise SceneError(
            f"{path}: has no list of frames; export it again with nerfstudio or COLMAP"
        )
    return top


def _split(root: Path, path: Path, top: Mapping[str, Any]) -> dict[str, Part] | None:
    """Part of each image that the file lists by name, or None if it has no such lists."""
    lists = [(key, part) for key, part in _SPLIT_LISTS if top.get(key) is not None]
    parts: dict[str, Part] = {}
    for key, part in lists:
        names = top[key]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SceneError(f"{path}: {key} is no list of file names; correct or remove it")
        for name in names:
            parts.setdefault(inside(root, name) or name, part)
    return parts if lists else None


def _frame(
    root: Path, top: Mapping[str, Any], entry: Any, split: dict[str, Part] | None, part: Part
) -> RawFrame | str:
    """The frame of a JSON entry, or why there is none."""
    listed = entry.get("file_path") if isinstance(entry, dict) else None
    if not isinstance(listed, str) or not listed:
        return "has no file_path"
    name = inside(root, listed)
    if name is None:
        return f"its path leads out of the scene's folder: {listed[:200]!r}"
    part = part if split is None else split.get(name, "neither")
    if not (root / name).is_file():
        options = (name + suffix for suffix in IMAGE_SUFFIXES)
        name = next((option for option in options if (root / option).is_file()), name)
    pose, fault = _world_from_cam(entry.get("transform_matrix"))
    return RawFrame(
        name=name,
        image=root / name,
        camera=_camera({**top, **entry}),
        world_from_cam=pose,
        pose_fault=fault,
        part=part,
    )


def _world_from_cam(matrix: Any) -> tuple[Array | None, str | None]:
    try:
        pose = np.array(matrix, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None, "transform_matrix is no matrix of numbers"
    if pose.shape == (3, 4):
        pose = np.vstack([pose, (0.0, 0.0, 0.0, 1.0)])
    if pose.shape != (4, 4):
        return None, f"transform_matrix has shape {pose.shape}, not (4, 4)"
    return pose @ _OPENCV_FROM_OPENGL, None


def _number(fields: Mapping[str, Any], key: str) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise CameraError(f"{key} is not a usable number: {str(value)[:40]!r}")
    return float(value)


def _camera(fields: Mapping[str, Any]) -> CameraSource:
    """The camera; its size is the file's ``w`` and ``h`` or, without them, that of the image."""
    try:
        width, height = _number(fields, "w"), _number(fields, "h")
        if width is None or height is None:
            return lambda w, h: _sized_camera(fields, w, h)
        return _sized_camera(fields, round(width), round(height))
    except CameraError as error:
        return no_camera(str(error))


def _sized_camera(fields: Mapping[str, Any], width: int, height: int) -> Camera:
    fx, fy = _number(fields, "fl_x"), _number(fields, "fl_y")
    fx = fx if fx is not None else _focal_of_angle(fields, "camera_angle_x", width)
    fy = fy if fy is not None else _focal_of_angle(fields, "camera_angle_y", height)
    # Either alone means square pixels.
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise CameraError("no focal length: transforms.json needs fl_x or camera_angle_x")
    cx, cy = _number(fields, "cx"), _number(fields, "cy")
    pinhole = (fx, fy, width / 2 if cx is None else cx, height / 2 if cy is None else cy)
    model, distortion = _distortion(fields)
    return Camera(model, width, height, (*pinhole, *distortion))


def _focal_of_angle(fields: Mapping[str, Any], key: str, side: int) -> float | None:
    angle = _number(fields, key)
    if angle is None:
        return None
    if not 0 < angle < np.pi:
        raise CameraError(f"{key} of {angle} is not between 0 and pi radians")
    return float(0.5 * side / np.tan(0.5 * angle))


def _distortion(fields: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """COLMAP's model name and its distortion coefficients."""
    k1, k2, k3, k4, p1, p2 = (_number(fields, key) or 0.0 for key in _COEFFICIENTS)
    name = fields.get("camera_model", "OPENCV")
    if name == "OPENCV_FISHEYE" or fields.get("is_fisheye") is True:
        return "OPENCV_FISHEYE", (k1, k2, k3, k4)
    if name in ("PINHOLE", "SIMPLE_PINHOLE"):
        return "PINHOLE", ()
    if name not in ("OPENCV", "FULL_OPENCV", "SIMPLE_RADIAL", "RADIAL"):
        raise CameraError(f"unknown camera_model {str(name)[:40]!r}; OPENCV is the common one")
    if k4:
        raise CameraError(
            "k4 has no settled meaning for a perspective camera; undistort the images"
        )
    if k3:
        return "FULL_OPENCV", (k1, k2, p1, p2, k3, 0.0, 0.0, 0.0)
    if k1 or k2 or p1 or p2:
        return "OPENCV", (k1, k2, p1, p2)
    return "PINHOLE", ()
