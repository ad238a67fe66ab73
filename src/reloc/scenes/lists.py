"""Lists that a user lays over any layout: which images are queries, and another set of poses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reloc.errors import SceneError
from reloc.files import StrPath
from reloc.geometry import inverted, pose_from, rotation_from_quaternion
from reloc.scenes.names import NameIndex, Tails, inside, is_absolute
from reloc.scenes.raw import RawFrame, RawScene, focal_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import data_lines

QUERY_LIST = "query.txt"


def find_list(root: StrPath, file: StrPath) -> Path:
    """The file as given, or else below the scene's folder.

    Raises:
        SceneError: it is in neither place.
    """
    for path in (Path(file), Path(root, file)):
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
    matching = _Matching(raw, root, listed)
    known = {skipped.name for skipped in raw.skipped}
    queries, missing = set[str](), list[Skipped]()
    for line in listed:
        found = matching.find(line)
        if found:
            queries.add(found)
        elif inside(root, line) not in known:
            missing.append(Skipped(line, f"listed in {file.name}, but the scene has no such frame"))
    if not queries:
        raise SceneError(
            f"{file}: none of its {len(listed)} names is a frame of {root}; names are paths below "
            f"that folder, such as {raw.frames[0].name if raw.frames else 'images/0001.jpg'}"
        )
    return replace(
        raw,
        frames=tuple(
            replace(f, part="query" if f.name in queries else "mapping") for f in raw.frames
        ),
        skipped=raw.skipped + tuple(missing),
        notes=raw.notes + matching.notes(file),
    )


class _Matching:
    """Finds the frames that a list names, also by the end of a path of another machine.

    What was found so, and what not at all, is counted for ``notes``.
    """

    def __init__(self, raw: RawScene, root: Path, listed: Iterable[str]) -> None:
        self._root = root
        self._index = NameIndex(frame.name for frame in raw.frames)
        listed = list(listed)
        self._tails = Tails(name for name in listed if is_absolute(name))
        self._count = len(listed)
        self._cut: list[tuple[str, str]] = []
        self._missing = 0

    def find(self, listed: str) -> str | None:
        """The name of the frame, or None if none fits or several do."""
        name = inside(self._root, listed)
        found = self._index.find(name) if name else None
        if found is None and is_absolute(listed):
            found = next(filter(None, map(self._index.find, self._tails.of(listed))), None)
            self._cut += [(listed, found)] if found else []
        self._missing += found is None
        return found

    def notes(self, file: Path) -> tuple[str, ...]:
        notes = []
        for listed, name in self._cut[:1]:
            notes.append(
                f"{len(self._cut)} names in {file.name} are paths of another machine, of which the "
                f"end fits, for instance {name} for {listed}"
            )
        if self._missing:
            notes.append(f"{self._missing} of {self._count} names in {file.name} match no frame")
        return tuple(notes)


@dataclass(frozen=True)
class _Entry:
    """A line of a pose set; None where it says nothing.

    Attributes:
        world_from_cam: (4, 4), or None where the quaternion is no rotation.
        focal: in pixels of the image.
        confidence: of the pose, such as a number of inliers; more is better.
    """

    world_from_cam: Array | None
    focal: float | None = None
    confidence: float | None = None


def with_poses(raw: RawScene, root: Path, file: Path) -> RawScene:
    """The scene with the poses (and focal lengths) of a pose-set file.

    Lines are ``name qw qx qy qz tx ty tz [focal [confidence]]``: camera-from-world, as COLMAP has
    it. A focal length in pixels replaces the frame's camera by a pinhole with its principal point
    at the image's centre. Three numbers after the pose are two errors and a number of inliers, the
    confidence, as ``localize --format ace`` writes them. Frames that the file does not name are
    skipped, and those with a confidence that is not positive, which were not found.

    Raises:
        SceneError: the file cannot be read, a line is malformed, or no name fits the scene.
    """
    entries = _pose_set(file)
    notes = [*raw.notes, f"poses are those of {file.name}"]
    matching = _Matching(raw, root, entries)
    found = _by_frame(matching, entries)
    last = {name.split()[-1]: entry for name, entry in entries.items()}
    if not found and len(last) == len(entries):
        # Such as a number before the name.
        matching = _Matching(raw, root, last)
        found = _by_frame(matching, last)
        notes.append(f"names in {file.name} are taken to be the last words before the numbers")
    if not found:
        raise SceneError(f"{file}: none of its {len(entries)} names is a frame of {root}")
    notes += matching.notes(file)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for frame in raw.frames:
        if frame.name not in found:
            skipped.append(Skipped(frame.name, f"not in the pose set {file.name}"))
            continue
        entry = found[frame.name]
        if entry.confidence is not None and not entry.confidence > 0:
            skipped.append(Skipped(frame.name, f"without confidence in {file.name}"))
            continue
        frames.append(
            replace(
                frame,
                world_from_cam=entry.world_from_cam,
                pose_fault=None
                if entry.world_from_cam is not None
                else f"no rotation in {file.name}",
                camera=frame.camera if entry.focal is None else focal_camera(entry.focal),
            )
        )
    confidences = [e.confidence for e in found.values() if e.confidence is not None]
    if confidences:
        notes.append(
            f"confidences in {file.name} are {min(confidences):g} to {max(confidences):g}; remove "
            "the lines of frames that are not to be relied on"
        )
    return replace(
        raw,
        frames=tuple(frames),
        skipped=raw.skipped + tuple(skipped),
        notes=tuple(notes),
        pose_notes=(),
    )


def _by_frame(matching: _Matching, entries: Mapping[str, _Entry]) -> dict[str, _Entry]:
    """The entries that name a frame, the first for each."""
    found: dict[str, _Entry] = {}
    for listed, entry in entries.items():
        match = matching.find(listed)
        if match:
            found.setdefault(match, entry)
    return found


def _pose_set(file: Path) -> dict[str, _Entry]:
    """The entries by name, the first of each name."""
    entries: dict[str, _Entry] = {}
    for number, line in data_lines(file):
        name, values = _name_and_numbers(line)
        if not name or len(values) not in (7, 8, 9, 10):
            raise SceneError(
                f"{file}:{number}: expected 'name qw qx qy qz tx ty tz [focal [confidence]]', got "
                f"{line[:80]!r}"
            )
        try:
            pose = inverted(pose_from(rotation_from_quaternion(values[:4]), values[4:7]))
        except ValueError:
            pose = None
        focal = values[7] if len(values) in (8, 9) else None
        entries.setdefault(name, _Entry(pose, focal, values[-1] if len(values) > 8 else None))
    if not entries:
        raise SceneError(f"{file}: holds no pose; lines are 'name qw qx qy qz tx ty tz [focal]'")
    return entries


def _name_and_numbers(line: str) -> tuple[str, list[float]]:
    """What stands before the numbers at the end of a line, spaces included, and the numbers."""
    name, values = line, list[float]()
    # One more than a line may have, so that what has too many is noticed.
    while len(values) < 11 and len(parts := name.rsplit(maxsplit=1)) == 2:
        try:
            values.insert(0, float(parts[1]))
        except ValueError:
            break
        name = parts[0]
    return name, values
