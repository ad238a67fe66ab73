"""TUM RGB-D: rgb.txt, depth.txt, groundtruth.txt, lists by time; images in rgb/ and depth/."""

import re
from bisect import bisect_left
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera, pose_from, rotation_from_quaternion
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import data_lines, read_numbers

LAYOUT = "tum"
LOOKS_FOR = "rgb.txt with groundtruth.txt"
NAMES_IMAGES = True

DEPTH_UNIT = 1 / 5000
# Colour and depth come at 30 Hz: more than this apart belongs to another frame.
MAX_GAP_SECONDS = 0.02
# Ground truth comes at 100 Hz, of other systems at 10 and more: over a longer time a camera may do
# anything.
MAX_STEP_SECONDS = 0.101

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
        pose, gap = _pose_at(truth, time)
        if pose is not None and gap > _SAME_TIME_SECONDS:
            apart.append(gap)
        nearest = _nearest(depth_times, time)
        depth = None if nearest is None else depth_locator.find(depths[nearest][1])
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


def _trajectory(path: Path) -> tuple[list[float], Array]:
    """Times and rows (N, 7) ``tx ty tz qx qy qz qw``, in the order of time."""
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
        # Tracking that was lost is written as NaN or a zero quaternion; it must not be a neighbour
        # to interpolate with.
        if np.isfinite(pose).all() and np.linalg.norm(pose[3:]) > 1e-9:
            rows.append((time, *pose))
    rows.sort()
    return [row[0] for row in rows], np.array([row[1:] for row in rows]).reshape(-1, 7)


def _nearest(times: list[float], time: float) -> int | None:
    """Index of the nearest time within the allowed gap."""
    at = bisect_left(times, time)
    near = [i for i in (at - 1, at) if 0 <= i < len(times)]
    best = min(near, key=lambda i: abs(times[i] - time), default=None)
    return best if best is not None and abs(times[best] - time) <= MAX_GAP_SECONDS else None


def _pose_at(truth: tuple[list[float], Array], time: float) -> tuple[Array | None, float]:
    """The pose at a time, and how many seconds away it was measured; 0 between two others."""
    times, rows = truth
    after = bisect_left(times, time)
    if 0 < after < len(times) and times[after] - times[after - 1] <= MAX_STEP_SECONDS:
        share = (time - times[after - 1]) / (times[after] - times[after - 1])
        a, b = rows[after - 1], rows[after]
        return _pose((1 - share) * a[:3] + share * b[:3], _between(a[3:], b[3:], share)), 0.0
    nearest = _nearest(times, time)
    if nearest is None:
        return None, 0.0
    return _pose(rows[nearest, :3], rows[nearest, 3:]), abs(times[nearest] - time)


def _pose(center: Array, xyzw: Array) -> Array:
    return pose_from(rotation_from_quaternion(np.roll(xyzw, 1)), center)


def _between(a: Array, b: Array, share: float) -> Array:
    """The rotation at a share of the way from one quaternion to another, turning evenly."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    if a @ b < 0:  # the same rotation has two quaternions
        b = -b
    half = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if half < 1e-6:
        return a + share * (b - a)
    return (np.sin((1 - share) * half) * a + np.sin(share * half) * b) / np.sin(half)
