"""7-Scenes: seq-NN/frame-NNNNNN.{color.png, depth.png, pose.txt}, 640x480, a Kinect."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.scenes.raw import RawDepth, RawFrame, RawScene
from reloc.scenes.text import data_lines, image_files, read_pose

LAYOUT = "7scenes"
LOOKS_FOR = "seq-01/frame-000000.color.png (unpacked)"

# The field's customary values; the data set itself tells only the depth camera's.
COLOR_CAMERA = Camera.pinhole(width=640, height=480, fx=525.0)
DEPTH_CAMERA = Camera.pinhole(width=640, height=480, fx=585.0)

Split = Literal["mapping", "query"]


def matches(root: Path) -> bool:
    """Whether a folder holds sequences of 7-Scenes."""
    return any(
        any(".color." in path.name for path in image_files(folder)) for folder in _sequences(root)
    )


def read(root: Path) -> RawScene:
    """Reads all sequences; TrainSplit.txt and TestSplit.txt split them where present.

    Poses are KinectFusion's, world-from-depth-camera, and taken as they are: the two cameras of
    the sensor stand 2.5 cm apart, which is why pose sets for the colour camera exist.

    Raises:
        SceneError: a split file is malformed.
    """
    parts = _split(root)
    frames = []
    for folder in _sequences(root):
        for image in image_files(folder):
            stem, _, kind = image.name.partition(".")
            if not kind.startswith("color."):
                continue
            pose, fault = read_pose(folder / f"{stem}.pose.txt")
            depth = folder / f"{stem}.depth.png"
            frames.append(
                RawFrame(
                    name=f"{folder.name}/{image.name}",
                    image=image,
                    camera=COLOR_CAMERA,
                    world_from_cam=pose,
                    pose_fault=fault,
                    part=parts.get(_number(folder.name), "neither") if parts else "mapping",
                    depth=RawDepth(depth, DEPTH_CAMERA) if depth.exists() else None,
                )
            )
    notes = ["the .pose.txt files hold poses of the depth camera, about 2.5 cm from the colour one"]
    notes += [f"{path.name} is a pose set; choose it with --poses" for path in _pose_sets(root)]
    return RawScene(tuple(frames), unit="metre", pose_notes=tuple(notes))


def _sequences(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.glob("seq-*")) if path.is_dir())


def _pose_sets(root: Path) -> list[Path]:
    return sorted(root.glob("poses_*.txt"))


def _number(text: str) -> int | None:
    found = re.search(r"(\d{1,9})$", text)
    return int(found[1]) if found else None


def _split(root: Path) -> dict[int | None, Split]:
    parts: dict[int | None, Split] = {}
    files: tuple[tuple[str, Split], ...] = (
        ("TrainSplit.txt", "mapping"),
        ("TestSplit.txt", "query"),
    )
    for name, part in files:
        path = root / name
        if not path.is_file():
            continue
        for number, line in data_lines(path):
            sequence = _number(line)
            if sequence is None:
                raise SceneError(f"{path}:{number}: expected 'sequence1', got {line[:80]!r}")
            parts[sequence] = part
    return parts
