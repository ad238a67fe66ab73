"""Lists that a user lays over any layout: which images are queries, and another set of poses."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import inverted, pose_from, rotation_from_quaternion
from reloc.scenes.names import NameIndex, inside
from reloc.scenes.raw import RawFrame, RawScene, focal_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import data_lines

QUERY_LIST = "query.txt"


def find_list(root: Path, file: Path) -> Path:
    """The file as given, or else below the scene's folder.

    Raises:
        SceneError: it is in neither place.
    """
    for path in (Path(file), root / file):
        if path.is_file():
            return path
    raise SceneError(f"{file}: no such file, neither as given nor below {root}; check the path")


def with_queries(raw: RawScene, root: Path, file: Path) -> RawScene:
    """The scene split anew: listed images are queries, all other frames map.

    Args:
        raw: the scene.
        root: its folder.
        file: one image path per line, relative to the scene's folder.

    Raises:
        SceneError: the list cannot be read, is empty, or names no frame of the scene at all.
    """
    listed = list(dict.fromkeys(line for _, line in data_lines(file)))
    if not listed:
        raise SceneError(f"{file}: lists no image; write one image path per line")
    index = NameIndex(frame.name for frame in raw.frames)
    known = {skipped.name for skipped in raw.skipped}
    queries, missing = set[str](), list[Skipped]()
    for line in listed:
        name = inside(root, line)
        found = index.find(name) if name else None
        if found:
            queries.add(found)
        elif name not in known:
            missing.append(Skipped(line, f"listed in {file.name}, but the scene has no such frame"))
    if not queries:
        raise SceneError(
            f"{file}: none of its {len(listed)} names is a frame of {root}; names are paths below "
            f"that folder, such as {raw.frames[0].name if raw.frames else 'images/0001.jpg'}"
        )
    notes = raw.notes
    if missing:
        notes += (f"{len(missing)} of {len(listed)} names in {file.name} match no frame",)
    return replace(
        raw,
        frames=tuple(
            replace(f, part="query" if f.name in queries else "mapping") for f in raw.frames
        ),
        skipped=raw.skipped + tuple(missing),
        notes=notes,
    )


def with_poses(raw: RawScene, root: Path, file: Path) -> RawScene:
    """The scene with the poses (and focal lengths) of a pose-set file.

    Lines are ``name qw qx qy qz tx ty tz [focal]``: camera-from-world, as COLMAP has it. A focal
    length in pixels replaces the frame's camera by a pinhole with its principal point at the
    image's centre. Frames that the file does not name are skipped.

    Raises:
        SceneError: the file cannot be read, a line is malformed, or no name fits the scene.
    """
    entries = _pose_set(file)
    index = NameIndex(frame.name for frame in raw.frames)
    found = dict[str, tuple[Array | None, float | None]]()
    unmatched = 0
    for listed, entry in entries.items():
        name = inside(root, listed)
        match = index.find(name) if name else None
        if match:
            found.setdefault(match, entry)
        else:
            unmatched += 1
    if not found:
        raise SceneError(f"{file}: none of its {len(entries)} names is a frame of {root}")
    frames, skipped = list[RawFrame](), list[Skipped]()
    for frame in raw.frames:
        if frame.name not in found:
            skipped.append(Skipped(frame.name, f"not in the pose set {file.name}"))
            continue
        pose, focal = found[frame.name]
        frames.append(
            replace(
                frame,
                world_from_cam=pose,
                pose_fault=None if pose is not None else f"no rotation in {file.name}",
                camera=frame.camera if focal is None else focal_camera(focal),
            )
        )
    notes = (*raw.notes, f"poses are those of {file.name}")
    if unmatched:
        notes += (f"{unmatched} of {len(entries)} names in {file.name} match no frame",)
    return replace(
        raw,
        frames=tuple(frames),
        skipped=raw.skipped + tuple(skipped),
        notes=notes,
        pose_notes=(),
    )


def _pose_set(file: Path) -> dict[str, tuple[Array | None, float | None]]:
    """Name -> (world_from_cam or None where the quaternion is no rotation, focal or None)."""
    entries: dict[str, tuple[Array | None, float | None]] = {}
    for number, line in data_lines(file):
        words = line.split()
        try:
            values = np.array([float(word) for word in words[1:]])
        except ValueError:
            values = np.empty(0)
        if len(values) not in (7, 8):
            raise SceneError(
                f"{file}:{number}: expected 'name qw qx qy qz tx ty tz [focal]', got {line[:80]!r}"
            )
        pose: Array | None
        try:
            pose = inverted(pose_from(rotation_from_quaternion(values[:4]), values[4:7]))
        except ValueError:
            pose = None
        entries.setdefault(words[0], (pose, float(values[7]) if len(values) == 8 else None))
    if not entries:
        raise SceneError(f"{file}: holds no pose; lines are 'name qw qx qy qz tx ty tz [focal]'")
    return entries
