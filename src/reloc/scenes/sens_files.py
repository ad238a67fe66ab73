"""ScanNet's .sens files, written once as what the data set's own reader exports."""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from reloc.errors import SceneError
from reloc.images.files import write_image
from reloc.scenes.derived import derived_folder
from reloc.scenes.found_poses import FoundPose
from reloc.scenes.scene import Array
from reloc.scenes.video_frames import stretches_of

LAYOUT = "sens"

_VERSION = 4
_MOST_BYTES, _MOST_SIDE, _MOST_FRAMES = 64 << 20, 8192, 1_000_000
_COLORS = {1: ".png", 2: ".jpg"}
_RAW, _ZLIB = 0, 1
_POSE = struct.Struct("<16f")
_SIZES = struct.Struct("<2i4IfQ")
_FRAME = struct.Struct("<4Q")


@dataclass(frozen=True)
class _Head:
    """What stands before the frames."""

    color: Array
    depth: Array
    suffix: str
    packed: int
    depth_size: tuple[int, int]
    shift: float
    frames: int
    end: int


def matches(path: Path) -> bool:
    """Whether a path is a .sens file, or a folder of a scan with one."""
    return _file(path) is not None


def folder(path: Path) -> Path:
    """The folder, of layout ``scannet``, of what a .sens file holds; one frame of each stretch.

    Raises:
        SceneError: the file is damaged or of another version.
    """
    file = _file(path)
    assert file is not None
    return derived_folder(file, lambda target: _write(file, target))


def _file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".sens" else None
    if not path.is_dir() or (path / "pose").is_dir():  # there, it is exported already
        return None
    return next(iter(sorted(path.glob("*.sens"))), None)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except (struct.error, zlib.error, ValueError, OverflowError) as error:
        raise SceneError(f"{path}: damaged or cut short; download it again") from error


def _write(path: Path, target: Path) -> None:
    with _opened(path) as file:
        head = _head(file, path)
        file.seek(head.end)
        # First the poses alone, of which frames to keep follow.
        places = list(_frames(file, head))
        kept = [stretch[len(stretch) // 2] for stretch in stretches_of([p for p, *_ in places])]
        for name in ("color", "depth", "pose", "intrinsic"):
            (target / name).mkdir()
        _write_matrix(target / "intrinsic/intrinsic_color.txt", head.color)
        _write_matrix(target / "intrinsic/intrinsic_depth.txt", head.depth)
        for number in kept:
            (pose, _), at, color, depth = places[number]
            assert pose is not None
            file.seek(at)
            (target / f"color/{number}{head.suffix}").write_bytes(_read(file, color))
            _write_matrix(target / f"pose/{number}.txt", pose)
            values = _depth(_read(file, depth), head)
            if values is not None:
                write_image(target / f"depth/{number}.png", values)


def _head(file: BinaryIO, path: Path) -> _Head:
    version, length = struct.unpack("<IQ", _read(file, 12))
    if version != _VERSION:
        raise SceneError(f"{path}: is of version {version}, only {_VERSION} is read; export it")
    _read(file, length)
    matrices = [np.reshape(_POSE.unpack(_read(file, _POSE.size)), (4, 4)) for _ in range(4)]
    color, depth, _, _, width, height, shift, frames = _SIZES.unpack(_read(file, _SIZES.size))
    if color not in _COLORS or not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE):
        raise SceneError(f"{path}: its images are compressed in a way that is not read; export it")
    if frames > _MOST_FRAMES or not 1 <= shift <= 1e6:
        raise ValueError("impossible numbers")
    return _Head(
        matrices[0], matrices[2], _COLORS[color], depth, (width, height), shift, frames, file.tell()
    )


def _frames(file: BinaryIO, head: _Head) -> Iterator[tuple[FoundPose, int, int, int]]:
    """Pose, place in the file, and bytes of colour and depth of each frame."""
    size = os.fstat(file.fileno()).st_size
    for _ in range(head.frames):
        pose = np.reshape(_POSE.unpack(_read(file, _POSE.size)), (4, 4)).astype(np.float64)
        _, _, color, depth = _FRAME.unpack(_read(file, _FRAME.size))
        if max(color, depth) > _MOST_BYTES:
            raise ValueError("impossible size")
        lost = not np.isfinite(pose).all()
        yield (None if lost else pose, "tracking was lost"), file.tell(), color, depth
        if file.seek(color + depth, 1) > size:
            raise ValueError("cut short")


def _depth(packed: bytes, head: _Head) -> np.ndarray | None:
    """Millimetres (H, W); None where there is none."""
    width, height = head.depth_size
    wanted = 2 * width * height
    if head.packed == _ZLIB:
        packed = zlib.decompressobj().decompress(packed, wanted)
    elif head.packed != _RAW:
        return None
    if len(packed) != wanted:
        return None
    steps = np.frombuffer(packed, "<u2").reshape(height, width)
    return np.clip(np.rint(steps * (1000 / head.shift)), 0, 65535).astype(np.uint16)


def _write_matrix(path: Path, matrix: Array) -> None:
    rows = [" ".join(repr(float(value)) for value in row) for row in matrix]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _read(file: BinaryIO, count: int) -> bytes:
    if count > _MOST_BYTES:
        raise ValueError("impossible size")
    content = file.read(count)
    if len(content) != count:
        raise ValueError("cut short")
    return content
