"""TUM RGB-D: rgb.txt, depth.txt, groundtruth.txt, lists by time; images in rgb/ and depth/."""

import re
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Skipped
from reloc.scenes.text import data_lines, read_numbers
from reloc.scenes.trajectory import Trajectory, nearest

LAYOUT = "tum"
LOOKS_FOR = "rgb.txt with groundtruth.txt"
NAMES_IMAGES = True

DEPTH_UNIT = 1 / 5000
# What rounding of a list makes of one time.
_SAME_TIME_SECONDS = 1e-3

# fx fy cx cy k1 k2 p1 p2 k3 of the colour cameras, published with the data set.
_INTRINSICS = {
    1: (517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    2: (520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    3: (535.4, 539.2, 320.1, 247.6),
}


def matches(root: Path) -> bool:
    """Whether a folder holds a sequence of TUM RGB-D."""
    return (root / "rgb.txt").is_file() and (root / "groundtruth.txt").is_file()


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Pairs images with poses and depth by time; there is no native split.

    The pose is interpolated between ground truth on both sides that is at most 0.1 s apart, else
    the nearest one within 20 ms is taken; without one a frame is skipped. Depth is registered to
    the colour image. Intrinsics come from ``calibration.txt`` (``fx fy cx cy [k1 k2 p1 p2 k3]``) in
    the folder, else from freiburg1, 2 or 3 in its name. The images lie in the scene's folder or in
    ``images``.

    Raises:
        SceneError: a list is malformed or missing.
    """
    camera = _camera(root)
    truth = _trajectory(root / "groundtruth.txt")
    depths = _timed_files(root / "depth.txt") if (root / "depth.txt").is_file() else []
    depth_times = [time for time, _ in depths]
    depth_locator = Locator(root, [file for _, file in depths])
    colors = _timed_files(root / "rgb.txt")
    locator = Locator(root, [file for _, file in colors], given=images)
    frames, skipped, apart = list[RawFrame](), list[Skipped](), list[float]()
    for time, listed in colors:
        located = locator.find(listed)
        if located is None:
            skipped.append(leads_out(listed))
            continue
        pose, gap = truth.at(time)
        if pose is not None and gap > _SAME_TIME_SECONDS:
            apart.append(gap)
        at = nearest(depth_times, time)
        depth = None if at is None else depth_locator.find(depths[at][1])
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=camera,
                world_from_cam=pose,
                pose_fault=None if pose is not None else "no ground truth within 20 ms",
                depth=RawDepth(depth.path, None, DEPTH_UNIT) if depth else None,
                time=time,
            )
        )
    pose_notes: tuple[str, ...] = ()
    if apart:
        pose_notes = (
            f"{len(apart)} frames: the pose is the nearest one, up to {1000 * max(apart):.0f} ms "
            "away, where ground truth has a gap or an end",
        )
    return RawScene(
        tuple(frames),
        unit="metre",
        skipped=tuple(skipped),
        notes=locator.notes() + depth_locator.notes(),
        pose_notes=pose_notes,
    )


def _camera(root: Path) -> CameraSource:
    path = root / "calibration.txt"
    if path.is_file():
        try:
            values = tuple(read_numbers(path))
        except SceneError as error:
            return no_camera(str(error))
        if len(values) not in (4, 9):
            return no_camera(f"{path}: expected 'fx fy cx cy' or 'fx fy cx cy k1 k2 p1 p2 k3'")
        # Its numbers are for the images beside it, whatever their size.
        return lambda width, height: _sized_camera(values, width, height)
    found = re.search(r"(?:freiburg|fr)([123])", root.resolve().name.lower())
    if not found:
        return no_camera(
            f"no intrinsics: write 'fx fy cx cy [k1 k2 p1 p2 k3]' into {path}, "
            "or name the folder after freiburg1, freiburg2 or freiburg3"
        )
    return _sized_camera(_INTRINSICS[int(found[1])], 640, 480)


def _sized_camera(values: tuple[float, ...], width: int, height: int) -> Camera:
    distortion = values[4:]
    if any(distortion):
        return Camera("FULL_OPENCV", width, height, (*values, 0.0, 0.0, 0.0))
    return Camera("PINHOLE", width, height, values[:4])


def _timed_files(path: Path) -> list[tuple[float, str]]:
    """(time, file) of each line, in the order of time."""
    entries = []
    for number, line in data_lines(path):
        words = line.split(maxsplit=1)
        try:
            entries.append((_finite(words[0]), words[1]))
        except (ValueError, IndexError) as error:
            raise SceneError(f"{path}:{number}: expected 'time file', got {line[:80]!r}") from error
    return sorted(entries)


def _finite(word: str) -> float:
    value = float(word)
    if not np.isfinite(value):
        raise ValueError("time must be finite")
    return value


def _trajectory(path: Path) -> Trajectory:
    rows = []
    for number, line in data_lines(path):
        try:
            time, *pose = (float(word) for word in line.split())
        except ValueError:
            time, pose = np.nan, []
        if len(pose) != 7 or not np.isfinite(time):
            raise SceneError(
                f"{path}:{number}: expected 'time tx ty tz qx qy qz qw', got {line[:80]!r}"
            )
        x, y, z, w = pose[3:]
        rows.append((time, pose[:3], (w, x, y, z)))
    return Trajectory(rows)
