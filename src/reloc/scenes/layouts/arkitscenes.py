"""ARKitScenes: lowres_wide.traj, lowres_wide/, lowres_wide_intrinsics/, lowres_depth/."""

import re
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import quaternion_from_rotation, rotation_from_vector
from reloc.scenes.found_poses import turned_about
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, known_camera, no_camera
from reloc.scenes.text import data_lines, image_files, read_numbers
from reloc.scenes.trajectory import Trajectory

LAYOUT = "arkitscenes"
LOOKS_FOR = "lowres_wide.traj with images and .pincam files in lowres_wide (ARKitScenes)"

# Images and intrinsics, the largest images last.
_KINDS = ("lowres_wide", "vga_wide", "wide")
_TRAJECTORY = "lowres_wide.traj"
_TIME = re.compile(r"_(\d+\.\d+)$")
# Seconds, radians and metres beyond it are damage.
_LARGEST = 1e9
# Of 0, 1 and 2.
_LEAST_CONFIDENCE = 1


def matches(root: Path) -> bool:
    """Whether a folder holds a scan of ARKitScenes."""
    return (root / _TRAJECTORY).is_file() and _kind(root) is not None


def read(root: Path) -> RawScene:
    """Pairs images with poses by the time in their names, ``<scan>_<seconds>.png``.

    A row of the trajectory is a time, a rotation as an axis times an angle, and a translation:
    world-to-camera with OpenCV axes, metres, z up. A ``.pincam`` file is
    ``width height fx fy cx cy``. Depth is in millimetres.

    Raises:
        SceneError: the trajectory is malformed.
    """
    kind = _kind(root)
    assert kind is not None
    trajectory = _trajectory(root / _TRAJECTORY)
    frames = []
    for image in image_files(root / kind):
        time = _TIME.search(image.stem)
        cam_from_world = trajectory.at(float(time[1]))[0] if time else None
        pose, fault = turned_about((cam_from_world, "the trajectory has no pose at its time"))
        frames.append(
            RawFrame(
                name=f"{kind}/{image.name}",
                image=image,
                camera=_camera(root / f"{kind}_intrinsics" / f"{image.stem}.pincam"),
                world_from_cam=pose,
                pose_fault=fault,
                depth=_depth(root, image.name) if kind == "lowres_wide" else None,
                time=float(time[1]) if time else None,
            )
        )
    return RawScene(tuple(frames), unit="metre", tracked=True)


def _kind(root: Path) -> str | None:
    return next((kind for kind in _KINDS if image_files(root / kind)), None)


def _trajectory(path: Path) -> Trajectory:
    rows = []
    for number, line in data_lines(path):
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            values = []
        if len(values) != 7:
            raise SceneError(
                f"{path}:{number}: expected 'time rx ry rz tx ty tz', got {line[:80]!r}"
            )
        # Of a row that is none, numpy would make no rotation.
        if np.isfinite(values).all() and np.abs(values).max() < _LARGEST:
            rotation = rotation_from_vector(values[1:4])
            rows.append((values[0], values[4:], quaternion_from_rotation(rotation).tolist()))
    return Trajectory(rows)


def _camera(path: Path) -> CameraSource:
    try:
        values = read_numbers(path).tolist()
    except SceneError as error:
        return no_camera(str(error))
    if len(values) != 6:
        return no_camera(f"{path}: expected 'width height fx fy cx cy'")
    return known_camera("PINHOLE", values[0], values[1], values[2:])


def _depth(root: Path, name: str) -> RawDepth | None:
    path, confidence = root / "lowres_depth" / name, root / "confidence" / name
    if not path.is_file():
        return None
    return RawDepth(path, confidence=confidence if confidence.is_file() else None,
                    least=_LEAST_CONFIDENCE)  # fmt: skip
