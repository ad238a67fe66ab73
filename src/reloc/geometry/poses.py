"""Rigid camera poses as 4x4 float64 matrices ``a_from_b``.

Camera axes are OpenCV's: x right, y down, z forward. ``world_from_cam`` maps points of the camera
frame to the world; its last column is the camera centre. Quaternions are (w, x, y, z) and appear
only where a file format asks for them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# A rotation read from text with six digits is orthonormal to about 1e-5; phone odometry exported
# in half precision reaches 1e-3. Beyond this the matrix holds something else than a rotation.
ROTATION_TOLERANCE = 2e-2


def pose_problem(world_from_cam: ArrayLike) -> str | None:
    """Says what keeps a matrix from being a rigid pose, or None if it is one.

    Args:
        world_from_cam: anything that numpy turns into a (4, 4) array.
    """
    pose = np.asarray(world_from_cam, dtype=np.float64)
    if pose.shape != (4, 4):
        return f"pose has shape {pose.shape}, not (4, 4)"
    if not np.isfinite(pose).all():
        return "pose holds NaN or infinity"
    if np.abs(pose[3] - (0.0, 0.0, 0.0, 1.0)).max() > 1e-6:
        return "last row of the pose is not 0 0 0 1"
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        return "upper left 3x3 of the pose is no rotation (not orthonormal)"
    if np.linalg.det(rotation) < 0:
        return "upper left 3x3 of the pose is a reflection, not a rotation"
    return None


def rotation_scale(pose: ArrayLike) -> float | None:
    """The factor by which the upper left 3x3 of a matrix (4, 4) is larger than its rotation.

    None where it is no such multiple, as far as its determinant tells; ``pose_problem`` of the
    matrix without the scale tells the rest.
    """
    matrix = np.asarray(pose, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    with np.errstate(over="ignore"):
        scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    return scale if 1e-9 < scale < 1e9 else None


def orthonormalized(world_from_cam: ArrayLike) -> Array:
    """The nearest rigid pose (Frobenius) to a (4, 4) matrix that is nearly one."""
    pose = np.array(world_from_cam, dtype=np.float64)
    u, _, vt = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    pose[3] = (0.0, 0.0, 0.0, 1.0)
    return pose


def inverted(a_from_b: ArrayLike) -> Array:
    """``b_from_a`` of rigid poses (..., 4, 4), without a general matrix inverse."""
    pose = np.asarray(a_from_b, dtype=np.float64)
    result = np.zeros_like(pose)
    rotation_t = np.swapaxes(pose[..., :3, :3], -1, -2)
    result[..., :3, :3] = rotation_t
    result[..., :3, 3] = -(rotation_t @ pose[..., :3, 3:])[..., 0]
    result[..., 3, 3] = 1.0
    return result


def transformed(a_from_b: ArrayLike, points_b: ArrayLike) -> Array:
    """Points (N, 3) of frame b in frame a, under one pose (4, 4)."""
    pose = np.asarray(a_from_b, dtype=np.float64)
    return np.asarray(points_b, dtype=np.float64) @ pose[:3, :3].T + pose[:3, 3]


def pose_from(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """A (4, 4) pose from a (3, 3) rotation and a (3,) translation."""
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = translation
    return pose


def rotation_from_quaternion(wxyz: ArrayLike) -> Array:
    """Rotation (3, 3) of a quaternion (w, x, y, z), which need not have unit length.

    Raises:
        ValueError: the quaternion is zero or not finite.
    """
    q = np.asarray(wxyz, dtype=np.float64)
    norm = np.linalg.norm(q)
    if not np.isfinite(norm) or norm < 1e-9:
        raise ValueError(f"no rotation has the quaternion {q.tolist()}")
    w, x, y, z = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(rotation: ArrayLike) -> Array:
    """Unit quaternion (w, x, y, z) with w >= 0 of a rotation (3, 3).

    The eigenvector of Bar-Itzhack's symmetric matrix: stable for every angle, without the branches
    of the trace formula.
    """
    r = np.asarray(rotation, dtype=np.float64)
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], 0],
            [
                r[2, 1] - r[1, 2],
                r[0, 2] - r[2, 0],
                r[1, 0] - r[0, 1],
                r[0, 0] + r[1, 1] + r[2, 2],
            ],
        ]
    )
    _, vectors = np.linalg.eigh(k, UPLO="L")
    x, y, z, w = vectors[:, -1]
    q = np.array([w, x, y, z])
    return q if w >= 0 else -q


def rotation_from_vector(vector: ArrayLike) -> Array:
    """Rotation (3, 3) about an axis by its length in radians (Rodrigues)."""
    v = np.asarray(vector, dtype=np.float64)
    angle = float(np.linalg.norm(v))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = v / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def rotation_angle_deg(a: ArrayLike, b: ArrayLike) -> float:
    """Angle in degrees between two rotations (3, 3).

    Uses the chord length, which keeps its precision at the small angles that errors have, where
    the arc cosine of the trace loses half of the digits.
    """
    chord = np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return float(np.degrees(2.0 * np.arcsin(min(1.0, chord / (2.0 * np.sqrt(2.0))))))


def pose_error(estimate: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Distance of the camera centres (scene units) and angle between the rotations (degrees)."""
    a, b = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3])), rotation_angle_deg(a[:3, :3], b[:3, :3])


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Array:
    """``world_from_cam`` of a camera at ``eye`` that looks at ``target``, its top towards ``up``.

    Raises:
        ValueError: the target coincides with the eye, or the view is along ``up``.
    """
    eye_, target_ = np.asarray(eye, np.float64), np.asarray(target, np.float64)
    forward = target_ - eye_
    right = np.cross(forward, np.asarray(up, np.float64))
    if np.linalg.norm(forward) < 1e-12 or np.linalg.norm(right) < 1e-12:
        raise ValueError("look_at needs a target away from the eye and off the up direction")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    return pose_from(np.stack([right, np.cross(forward, right), forward], axis=1), eye_)
