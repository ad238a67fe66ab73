"""Poses as files have them, brought to ``world_from_cam`` with OpenCV axes.

A file may hold anything in the place of a pose. What cannot be read becomes a fault, for which the
frame is skipped; whether the pose is a rigid one is checked with those of all formats.
"""

from typing import Any

import numpy as np

from reloc.geometry import inverted, pose_from, rotation_from_quaternion, rotation_from_vector
from reloc.scenes.scene import Array

# A pose and None, or None and what is wrong with it.
FoundPose = tuple[Array | None, str | None]

# Cameras of OpenGL and ARKit look along -z with y up.
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def numbers_of(value: Any) -> Array | None:
    """All numbers (N,) of a JSON value that is a list, or a list of lists; None if it is neither.

    NaN and infinity, which some programs write, pass.
    """
    rows = value if isinstance(value, list) else None
    if rows and all(isinstance(row, list) for row in rows):
        rows = [number for row in rows for number in row]
    if not rows or not all(type(number) in (int, float) for number in rows):
        return None
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:
        return None


def pose_of_matrix(value: Any, name: str) -> FoundPose:
    """The pose of a 4x4 or 3x4 matrix, row by row, in one list or in a list for each row.

    Args:
        value: of a JSON document.
        name: of the field, for the fault.
    """
    numbers = numbers_of(value)
    if numbers is None:
        return None, f"{name} is no matrix of numbers"
    if numbers.size == 12:
        numbers = np.append(numbers, (0.0, 0.0, 0.0, 1.0))
    if numbers.size != 16:
        return None, f"{name} has {numbers.size} numbers; a pose has 16"
    return numbers.reshape(4, 4), None


def pose_of_quaternion(wxyz: Any, translation: Any) -> FoundPose:
    """The pose of a quaternion (w, x, y, z) and a translation (3,)."""
    if not np.isfinite(translation).all():
        return None, "pose holds NaN or infinity"
    try:
        return pose_from(rotation_from_quaternion(wxyz), translation), None
    except ValueError as error:
        return None, str(error)


def pose_of_vector(rotation: Any, translation: Any) -> FoundPose:
    """The pose of an axis times an angle in radians (3,), and a translation (3,)."""
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        return None, "pose holds NaN or infinity"
    return pose_from(rotation_from_vector(rotation), translation), None


def of_opengl(found: FoundPose) -> FoundPose:
    """The pose of a camera whose axes are OpenGL's, as ARKit's are."""
    pose, fault = found
    return (None if pose is None else pose @ _OPENCV_FROM_OPENGL), fault


def turned_about(found: FoundPose) -> FoundPose:
    """The pose that leads the other way: ``world_from_cam`` of a ``cam_from_world``."""
    pose, fault = found
    if pose is None:
        return None, fault
    if not np.isfinite(pose).all():
        return None, "pose holds NaN or infinity"
    return inverted(pose), None


def chained(a_from_b: FoundPose, b_from_c: FoundPose) -> FoundPose:
    """``a_from_c``; the fault of the first that has one."""
    (a, a_fault), (b, b_fault) = a_from_b, b_from_c
    if a is None:
        return None, a_fault
    return (None, b_fault) if b is None else (a @ b, None)
