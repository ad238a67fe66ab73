"""12-Scenes: info.txt, split.txt and data/frame-NNNNNN.{color.jpg, depth.png, pose.txt}."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from reloc.errors import CameraError, SceneError
from reloc.geometry import Camera
from reloc.scenes.raw import RawDepth, RawFrame, RawScene
from reloc.scenes.text import data_lines, image_files, read_pose

LAYOUT = "12scenes"
LOOKS_FOR = "info.txt with data/frame-000000.color.jpg"

_SEQUENCE = re.compile(r"sequence(\d+)\s*\[.*?start\s*=\s*(\d+)\s*;\s*end\s*=\s*(\d+)\s*\]")


def matches(root: Path) -> bool:
    """Whether a folder holds a recording of 12-Scenes."""
    return (root / "info.txt").is_file() and any(
        path.name.startswith("frame-") and ".color." in path.name
        for path in image_files(root / "data")
    )


def read(root: Path) -> RawScene:
    """The first sequence of split.txt is for queries, as in the paper; the others map.

    Poses are world-from-camera; those with INF, where tracking was lost, end as skipped frames.
    Depth has its own camera, which the extrinsics of all published scenes put at the same place.

    Raises:
        SceneError: split.txt is malformed.
        CameraError: info.txt lacks the intrinsics.
    """
    info_file = root / "info.txt"
    info = _info(info_file)
    color = _camera(info_file, info, "Color")
    shift = _numbers(info_file, info, "m_depthShift", 1)[0]
    if not shift > 0:
        raise CameraError(f"{info_file}: m_depthShift must be positive; it is 1000 for millimetres")
    ranges = _ranges(root / "split.txt")
    frames = []
    for image in image_files(root / "data"):
        stem, _, kind = image.name.partition(".")
        if not kind.startswith("color."):
            continue
        pose, fault = read_pose(root / "data" / f"{stem}.pose.txt")
        depth = root / "data" / f"{stem}.depth.png"
        has_depth = depth.exists()
        frames.append(
            RawFrame(
                name=f"data/{image.name}",
                image=image,
                camera=color,
                world_from_cam=pose,
                pose_fault=fault,
                part=_part(stem, ranges),
                depth=RawDepth(depth, _camera(info_file, info, "Depth"), 1 / shift)
                if has_depth
                else None,
            )
        )
    return RawScene(tuple(frames), unit="metre")


def _info(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for _, line in data_lines(path))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _numbers(path: Path, info: Mapping[str, str], key: str, count: int) -> list[float]:
    try:
        values = [float(word) for word in info.get(key, "").split()]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise CameraError(f"{path}: {key} must hold {count} numbers; restore the file")
    return values


def _camera(path: Path, info: Mapping[str, str], kind: Literal["Color", "Depth"]) -> Camera:
    prefix = kind.lower()
    width = round(_numbers(path, info, f"m_{prefix}Width", 1)[0])
    height = round(_numbers(path, info, f"m_{prefix}Height", 1)[0])
    k = _numbers(path, info, f"m_calibration{kind}Intrinsic", 16)
    try:
        return Camera.pinhole(width=width, height=height, fx=k[0], fy=k[5], cx=k[2], cy=k[6])
    except CameraError as error:
        raise CameraError(f"{path}: {error}") from error


def _ranges(path: Path) -> list[tuple[int, int]] | None:
    """First and last frame number of each sequence in turn, or None without a split file."""
    if not path.is_file():
        return None
    ranges: dict[int, tuple[int, int]] = {}
    for number, line in data_lines(path):
        found = _SEQUENCE.match(line)
        if not found or max(map(len, found.groups())) > 9:
            raise SceneError(
                f"{path}:{number}: expected 'sequence0 [frames=357] [start=0 ; end=356]', "
                f"got {line[:80]!r}"
            )
        sequence, start, end = map(int, found.groups())
        ranges[sequence] = (start, end)
    return [ranges[sequence] for sequence in sorted(ranges)]


def _part(
    stem: str, ranges: list[tuple[int, int]] | None
) -> Literal["mapping", "query", "neither"]:
    if ranges is None:
        return "mapping"
    digits = re.search(r"\d{1,9}$", stem)
    number = int(digits[0]) if digits else -1
    for sequence, (start, end) in enumerate(ranges):
        if start <= number <= end:
            return "mapping" if sequence else "query"
    return "neither"
