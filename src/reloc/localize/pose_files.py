"""Estimates as files: JSON, TUM trajectories, COLMAP models and the pose lists of benchmarks.

Names that are not UTF-8 keep their bytes in models and lists; JSON has a byte b of them as the
escape of U+DC00 + b, which Python's ``os.fsencode`` turns back into the byte.
Only poses to be trusted are written as poses. JSON also lists the frames that were not localized,
with null for the pose; the other formats have no way to say so and leave them out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.errors import OptionError, OutputError, SceneError
from reloc.files import StrPath, atomic_folder, json_text, write_text
from reloc.geometry import (
    inverted,
    pose_error,
    pose_from,
    pose_problem,
    quaternion_from_rotation,
    rotation_from_quaternion,
)
from reloc.localize.estimate import Estimate
from reloc.localize.pairing import paired
from reloc.localize.reasons import Reason
from reloc.maps.held_back import Bound
from reloc.scenes.scene import Frame
from reloc.scenes.text import data_lines, read_text
from reloc.scenes.writers.colmap import write_model
from reloc.untrusted import parsed_json

Array = NDArray[np.float64]
# As Python has a byte of a file's name that is not UTF-8.
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
Pairs = Sequence[tuple[Frame, Estimate]]


def write_poses(
    path: StrPath, estimates: Sequence[Estimate], frames: Sequence[Frame], *, format: str
) -> None:
    """Writes estimates in one of ``POSE_FORMATS``, in the order of the frames.

    - ``json``: every estimate, ``world_from_cam`` as a 4x4 matrix.
    - ``tum``: ``timestamp tx ty tz qx qy qz qw``, world from camera, by rising time. The timestamp
      is the frame's time, or its index among the frames where one of them has no time.
    - ``colmap``: ``path`` is a new folder that gets cameras.txt, images.txt and points3D.txt, which
      holds no points; the same files in binary, ``.bin``, where a name has a space, which text
      cannot hold.
    - ``ace``: ``name qw qx qy qz tx ty tz rot_err_deg trans_err inliers``, camera from world; the
      errors are ``nan`` where the frame's pose is not known.
    - ``hloc``: ``name qw qx qy qz tx ty tz``, camera from world, as visuallocalization.net takes
      it; the name is the last part of the frame's, with as many folders as tell frames apart.
    - ``mapfree``: the same with ``confidence`` at the end, and one folder in the name at least.
    - ``lamar``: ``timestamp, sensor, qw, qx, qy, qz, tx, ty, tz``, world from camera; of a frame
      called ``sensor/timestamp.jpg``.

    Args:
        path: the file, or the folder for ``colmap``.
        estimates: answers of the localizer.
        frames: the images that were localized, for names, cameras, times and true poses.
        format: one of ``POSE_FORMATS``.

    Raises:
        OptionError: unknown format, or estimates and frames do not belong together.
        OutputError: it cannot be written, a name does not fit the format, or the folder for
            ``colmap`` is not empty.
    """
    check_names(path, [frame.name for frame in frames], format=format)
    pairs = [(f, e) for f, e in paired(estimates, frames) if e is not None]
    times = {frame.name: float(index) for index, frame in enumerate(frames)}
    if all(frame.time is not None for frame in frames):
        times = {frame.name: float(frame.time) for frame in frames if frame.time is not None}
    _WRITERS[format](Path(path), pairs, times)


def check_names(path: StrPath, names: Sequence[str], *, format: str) -> None:
    """Makes sure that a format can hold the names of images, best before they are localized.

    Args:
        path: the file or folder to write, for the message.
        names: of the images.
        format: one of ``POSE_FORMATS``.

    Raises:
        OptionError: unknown format.
        OutputError: a name does not fit the format.
    """
    if format not in _WRITERS:
        raise OptionError(f"unknown pose format {format!r}; known are {', '.join(POSE_FORMATS)}")
    for name in names:
        if not _fits(name, format):
            raise OutputError(
                f"{path}: the image name {name!r} does not fit this format; rename it or write JSON"
            )


def read_estimates(path: StrPath) -> tuple[Estimate, ...]:
    """Estimates as ``write_poses`` wrote them in JSON.

    Raises:
        SceneError: no such file, or it holds something else.
    """
    text = read_text(path)
    try:
        return tuple(_estimate_of(row) for row in parsed_json(text)["estimates"])
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise SceneError(
            f"{path}: not a JSON file of estimates ({type(error).__name__}: {error!s:.80}); "
            "write it with 'reloc localize --format json'"
        ) from error


def read_tum(path: StrPath) -> tuple[Array, Array]:
    """Times (N,) and poses (N, 4, 4) ``world_from_cam`` of a TUM trajectory.

    Raises:
        SceneError: no such file, or a line is no pose.
    """
    times, poses = [], []
    for number, line in data_lines(path):
        time, *values = _numbers(path, number, line.split(), 8)
        times.append(time)
        poses.append(_pose(path, number, [values[6], *values[3:6]], values[:3]))
    return np.array(times), np.array(poses).reshape(-1, 4, 4)


def read_ace(path: StrPath) -> tuple[Estimate, ...]:
    """Estimates of a pose list of ACE; all count as localized, since the list cannot say else.

    Raises:
        SceneError: no such file, or a line is no pose.
    """
    estimates = []
    for number, line in data_lines(path):
        # From the right, so that names may hold spaces.
        name, *fields = line.rsplit(maxsplit=10)
        values = _numbers(path, number, fields, 10, finite=7)
        cam_from_world = _pose(path, number, values[:4], values[4:7])
        inliers = int(values[9]) if np.isfinite(values[9]) else 0
        estimates.append(
            Estimate(name, True, inverted(cam_from_world), inliers=inliers, confidence=1.0)
        )
    return tuple(estimates)


def _write_json(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    rows = ",\n".join(json_text(estimate_record(estimate), indent=None) for _, estimate in pairs)
    write_text(path, f'{{"estimates": [\n{rows}\n]}}\n')


def estimate_record(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON has it; the pose is null unless it is to be trusted."""
    trusted = _trusted(estimate)
    return {
        "image": estimate.image,
        "localized": trusted,
        "world_from_cam": estimate.world_from_cam if trusted else None,
        "inliers": estimate.inliers,
        "inlier_share": estimate.inlier_share,
        "landmark_inliers": estimate.landmark_inliers,
        "landmarks_alone": estimate.landmarks_alone,
        "contradicted": estimate.contradicted,
        "confidence": estimate.confidence,
        "certainty": estimate.certainty,
        "bound": None if estimate.bound is None else vars(estimate.bound),
        "covariance": estimate.covariance if trusted else None,
        "seconds": estimate.seconds,
        "reason": estimate.reason,
        "reason_kind": estimate.reason_kind,
        "camera_source": estimate.camera_source,
        **({} if estimate.place is None else {"place": estimate.place}),
        **(_aligned(estimate) if trusted else {}),
    }


def _aligned(estimate: Estimate) -> dict[str, Any]:
    """What is known of a pose in the frame that its map is aligned to; nothing in other maps."""
    alignment, pose = estimate.alignment, estimate.world_from_cam
    if alignment is None or pose is None:
        return {}
    geopose = alignment.geopose(pose)
    return {
        "aligned_from_cam": alignment.aligned_from_world.pose(pose),
        **({} if geopose is None else {"geopose": geopose}),
    }


def _estimate_of(row: Mapping[str, Any]) -> Estimate:
    def matrix(key: str, size: int) -> Array | None:
        if row.get(key) is None:
            return None
        values = np.array(row[key], dtype=np.float64)
        if values.shape != (size, size):
            raise ValueError(f"{key} of {row['image']!r} has shape {values.shape}")
        return values

    pose = matrix("world_from_cam", 4)
    if pose is not None and (problem := pose_problem(pose)):
        raise ValueError(f"{row['image']!r}: {problem}")
    if not isinstance(row["image"], str) or not isinstance(row["localized"], bool):
        raise TypeError("image must be a text and localized true or false")
    if row["localized"] and pose is None:
        raise ValueError(f"{row['image']!r} is localized without a pose")
    return Estimate(
        row["image"],
        row["localized"],
        pose,
        inliers=int(row.get("inliers") or 0),
        inlier_share=float(row.get("inlier_share") or 0.0),
        landmark_inliers=int(row.get("landmark_inliers") or 0),
        landmarks_alone=bool(row.get("landmarks_alone")),
        contradicted=bool(row.get("contradicted")),
        confidence=float(row.get("confidence") or 0.0),
        certainty=float(row.get("certainty") or 0.0),
        bound=_bound_of(row.get("bound")),
        covariance=matrix("covariance", 6),
        seconds={str(k): float(v) for k, v in (row.get("seconds") or {}).items()},
        reason=row.get("reason"),
        # A kind that this version does not know was written by a later one.
        reason_kind=next((kind for kind in Reason if kind == row.get("reason_kind")), None),
        camera_source=row.get("camera_source"),
    )


def _bound_of(values: Any) -> Bound | None:
    if values is None:
        return None
    distance, degrees = float(values["distance"]), float(values["degrees"])
    if not (distance > 0 and degrees > 0):
        raise ValueError("a bound is not positive")
    return Bound(distance, degrees)


def _write_tum(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    rows = [(times[frame.name], pose) for frame, _, pose in _poses(pairs)]
    for time, pose in sorted(rows, key=lambda row: row[0]):
        w, x, y, z = quaternion_from_rotation(pose[:3, :3])
        lines.append(_text([time, *pose[:3, 3], x, y, z, w]))
    write_text(path, "\n".join(lines) + "\n")


def _write_colmap(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    frames = [replace(frame, world_from_cam=pose) for frame, _, pose in _poses(pairs)]
    names = {frame.name: frame.name for frame in frames}
    with atomic_folder(path) as folder:
        write_model(folder, frames, names)


def _write_ace(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    lines = []
    for frame, estimate, pose in _poses(pairs):
        translation, rotation = np.nan, np.nan
        if frame.world_from_cam is not None:
            translation, rotation = pose_error(pose, frame.world_from_cam)
        values = _text([*_cam_from_world(pose), rotation, translation])
        alone = estimate.landmarks_alone
        inliers = estimate.landmark_inliers if alone else estimate.inliers
        lines.append(f"{frame.name} {values} {inliers}\n")
    write_text(path, "".join(lines))


def _write_hloc(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    short = _short_names(times, least=1)
    lines = [f"{short[f.name]} {_text(_cam_from_world(pose))}\n" for f, _, pose in _poses(pairs)]
    write_text(path, "".join(lines))


def _write_mapfree(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    short = _short_names(times, least=2)
    lines = [
        f"{short[frame.name]} {_text([*_cam_from_world(pose), estimate.confidence])}\n"
        for frame, estimate, pose in _poses(pairs)
    ]
    write_text(path, "".join(lines))


def _write_lamar(path: Path, pairs: Pairs, times: Mapping[str, float]) -> None:
    lines = ["# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz\n"]
    for frame, _, pose in _poses(pairs):
        sensor, file = frame.name.rsplit("/", 1)
        numbers = _text([*quaternion_from_rotation(pose[:3, :3]), *pose[:3, 3]])
        lines.append(f"{file.split('.')[0]}, {sensor}, {numbers.replace(' ', ', ')}\n")
    write_text(path, "".join(lines))


def _short_names(names: Iterable[str], *, least: int) -> dict[str, str]:
    """The last parts of names, ``least`` or as many as make each name another."""
    parts = {name: name.split("/") for name in names}
    for count in range(least, max(map(len, parts.values()), default=0)):
        short = {name: "/".join(pieces[-count:]) for name, pieces in parts.items()}
        if len(set(short.values())) == len(short):
            return short
    return {name: name for name in parts}


_WRITERS: Mapping[str, Callable[[Path, Pairs, Mapping[str, float]], None]] = {
    "json": _write_json,
    "tum": _write_tum,
    "colmap": _write_colmap,
    "ace": _write_ace,
    "hloc": _write_hloc,
    "mapfree": _write_mapfree,
    "lamar": _write_lamar,
}

POSE_FORMATS: tuple[str, ...] = tuple(_WRITERS)


def _trusted(estimate: Estimate) -> bool:
    pose = estimate.world_from_cam
    return estimate.localized and pose is not None and pose_problem(pose) is None


def _poses(pairs: Pairs) -> Iterator[tuple[Frame, Estimate, Array]]:
    for frame, estimate in pairs:
        if _trusted(estimate) and estimate.world_from_cam is not None:
            yield frame, estimate, estimate.world_from_cam


def _cam_from_world(world_from_cam: Array) -> list[float]:
    """The inverse pose as qw qx qy qz tx ty tz."""
    pose = inverted(world_from_cam)
    return [*quaternion_from_rotation(pose[:3, :3]), *pose[:3, 3]]


def _text(values: ArrayLike) -> str:
    """Numbers with the fewest digits that read back as the same number."""
    return " ".join(repr(float(value)) for value in np.asarray(values, dtype=np.float64))


def _fits(name: str, format: str) -> bool:
    """Whether a format can hold a name: JSON any, a model any that a file can have."""
    plain = _ESCAPED_BYTE.sub("", name)
    if format == "ace":  # it must neither end its field nor its line
        return name == name.strip() and plain.isprintable()
    if format in ("hloc", "mapfree"):  # who reads it splits lines at spaces
        return plain.isprintable() and not any(letter.isspace() for letter in plain)
    if format == "lamar":
        return plain.isprintable() and "," not in name and "/" in name.strip("/")
    return format != "colmap" or not any("\ud800" <= letter <= "\udfff" for letter in plain)


def _numbers(
    path: StrPath, number: int, fields: Sequence[str], count: int, *, finite: int | None = None
) -> list[float]:
    """The fields of a line as numbers, the first ``finite`` of them (or all) finite."""
    try:
        values = [float(field) for field in fields]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values[:finite]).all():
        raise SceneError(f"{path}, line {number}: not the {count} numbers of a pose; correct it")
    return values


def _pose(path: StrPath, number: int, wxyz: ArrayLike, translation: ArrayLike) -> Array:
    try:
        return pose_from(rotation_from_quaternion(wxyz), translation)
    except ValueError as error:
        raise SceneError(f"{path}, line {number}: {error}; correct the line") from error
