"""The camera of a frame of transforms.json, whose intrinsics come in many spellings."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.scenes.raw import PANORAMA, PANORAMA_CAMERA, CameraSource, no_camera

_FOCALS = (("fl_x", "camera_angle_x"), ("fl_y", "camera_angle_y"))
_COEFFICIENTS = ("k1", "k2", "k3", "k4", "p1", "p2")
_PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_OTHER_PANORAMAS = ("EQUIRECTANGULAR_", "OMNIDIRECTIONAL", "VR180")
_PANORAMA_FLAGS = ("equirectangular", "latlong")


def camera_of(
    top: Mapping[str, Any], entry: Mapping[str, Any], *, smaller: bool = False
) -> CameraSource:
    """The camera of a frame; its size is ``w`` and ``h`` or, without them, that of the image.

    Args:
        top: the fields of the file, which hold where the frame has none.
        entry: the fields of the frame.
        smaller: the image is one that was made smaller, so that its size is not the camera's.
    """
    fields = _merged(top, entry)
    try:
        if _is_panorama(fields):
            return PANORAMA_CAMERA
        width, height = _number(fields, "w"), _number(fields, "h")
        if width is not None and height is not None:
            return _sized_camera(fields, round(width), round(height))
    except CameraError as error:
        return no_camera(str(error))
    if smaller:
        return no_camera("its camera has no w and h, so that a smaller image says nothing of it")
    return lambda w, h: _sized_camera(fields, w, h)


def ignores_tangential(top: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a frame of a fisheye lens has the coefficients p1 and p2, which it does not know."""
    fields = _merged(top, entry)
    try:
        return _is_fisheye(fields) and bool(_number(fields, "p1") or _number(fields, "p2"))
    except CameraError:
        return False


def _merged(top: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a frame over those of the file; its focal lengths replace all of the file's."""
    own = {key: value for key, value in entry.items() if value is not None}
    replaced = any(
        any(key in own for key in axis) and any(top.get(key) is not None for key in axis)
        for axis in _FOCALS
    )
    dropped = {key for axis in _FOCALS for key in axis} if replaced else set()
    return {**{key: value for key, value in top.items() if key not in dropped}, **own}


def _number(fields: Mapping[str, Any], key: str) -> float | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise CameraError(f"{key} is not a usable number: {_shown(value)}")
    return float(value)


def _shown(value: Any) -> str:
    """A value for a message; lists may be nested too deep to be written."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else repr(value)[:40]


def _flag(fields: Mapping[str, Any], key: str) -> bool:
    """Whether a mark is set, as ``true`` or as a number that is not 0."""
    value = fields.get(key, False)
    if value is not None and not isinstance(value, bool | int | float):
        raise CameraError(f"{key} is neither true nor false: {_shown(value)}")
    return bool(value)


def _sized_camera(fields: Mapping[str, Any], width: int, height: int) -> Camera:
    model, distortion = _distortion(fields)
    fx, fy = _number(fields, "fl_x"), _number(fields, "fl_y")
    fx = fx if fx is not None else _focal_of_angle(fields, "camera_angle_x", width)
    fy = fy if fy is not None else _focal_of_angle(fields, "camera_angle_y", height)
    # Either alone means square pixels.
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise CameraError("no focal length: transforms.json needs fl_x or camera_angle_x")
    cx, cy = _number(fields, "cx"), _number(fields, "cy")
    pinhole = (fx, fy, width / 2 if cx is None else cx, height / 2 if cy is None else cy)
    return Camera(model, width, height, (*pinhole, *distortion))


def _focal_of_angle(fields: Mapping[str, Any], key: str, side: int) -> float | None:
    angle = _number(fields, key)
    if angle is None:
        return None
    if not 0 < angle < np.pi:
        raise CameraError(f"{key} of {angle} is not between 0 and pi radians")
    return float(0.5 * side / np.tan(0.5 * angle))


def _model(fields: Mapping[str, Any]) -> str:
    name = fields.get("camera_model")
    return "OPENCV" if name is None else str(name).upper() if isinstance(name, str) else ""


def _is_panorama(fields: Mapping[str, Any]) -> bool:
    return _model(fields) == "EQUIRECTANGULAR" or any(
        _flag(fields, flag) for flag in _PANORAMA_FLAGS
    )


def _is_fisheye(fields: Mapping[str, Any]) -> bool:
    return _model(fields) in _FISHEYE or _flag(fields, "is_fisheye")


def _distortion(fields: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
    """COLMAP's model name and its distortion coefficients."""
    model = _model(fields)
    if model.startswith(_OTHER_PANORAMAS):
        raise CameraError(PANORAMA)
    if any(key.startswith("ftheta_") for key in fields):
        raise CameraError("the lens is an f-theta one, which is not read; undistort the images")
    k1, k2, k3, k4, p1, p2 = (_number(fields, key) or 0.0 for key in _COEFFICIENTS)
    if _is_fisheye(fields):
        return "OPENCV_FISHEYE", (k1, k2, k3, k4)
    if model not in _PERSPECTIVE:
        raise CameraError(
            f"unknown camera_model {_shown(fields['camera_model'])}; OPENCV is the common one"
        )
    # The coefficients say more than the name: exporters leave PINHOLE beside them.
    if k4:
        raise CameraError(
            "k4 has no settled meaning for a perspective camera; undistort the images"
        )
    if k3:
        return "FULL_OPENCV", (k1, k2, p1, p2, k3, 0.0, 0.0, 0.0)
    if k1 or k2 or p1 or p2:
        return "OPENCV", (k1, k2, p1, p2)
    return "PINHOLE", ()
