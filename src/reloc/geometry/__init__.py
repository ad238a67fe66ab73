"""Cameras and poses: pure functions on arrays."""

from reloc.geometry.cameras import CAMERA_MODELS, Camera, same_aspect
from reloc.geometry.poses import (
    inverted,
    look_at,
    orthonormalized,
    pose_error,
    pose_from,
    pose_problem,
    quaternion_from_rotation,
    rotation_angle_deg,
    rotation_from_quaternion,
    rotation_from_vector,
    rotation_scale,
    transformed,
)

__all__ = [
    "CAMERA_MODELS",
    "Camera",
    "inverted",
    "look_at",
    "orthonormalized",
    "pose_error",
    "pose_from",
    "pose_problem",
    "quaternion_from_rotation",
    "rotation_angle_deg",
    "rotation_from_quaternion",
    "rotation_from_vector",
    "rotation_scale",
    "same_aspect",
    "transformed",
]
