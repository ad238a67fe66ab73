"""Depth of Record3D: float32 metres, compressed by LZFSE, made into images in millimetres."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.images.files import write_image
from reloc.scenes.derived import derived_folder

# More than any phone measures, so that a lie about it takes no memory.
_MOST_SIDE = 2048
_FARTHEST = 65.0


def depth_images(
    file: Path, folder: Path, top: dict[str, Any]
) -> tuple[dict[int, tuple[Path, Path | None]], tuple[str, ...]]:
    """Depth of each frame as an image in millimetres with its confidence, and what to tell of it.

    Args:
        file: the metadata.
        folder: of the files ``N.depth`` and ``N.conf``.
        top: what the metadata holds.
    """
    packed = {int(p.stem): p for p in folder.glob("*.depth") if p.stem.isdecimal()}
    if not packed:
        exr = any((folder.parent / "depth").glob("*.exr"))
        return {}, ("depth in EXR files is not read; a .r3d file has it, too",) if exr else ()
    try:
        import lzfse
    except ImportError:
        return {}, ("depth is compressed by LZFSE; for it: pip install 'reloc[phones]'",)
    size = [top.get(key) for key in ("dw", "dh")]
    if not all(type(side) is int and 0 < side <= _MOST_SIDE for side in size):
        return {}, ("depth left out: the metadata has no usable dw and dh",)
    width, height = (int(side or 0) for side in size)

    def values(path: Path, kind: type) -> NDArray[Any] | None:
        expected = width * height * np.dtype(kind).itemsize
        try:
            packed = path.read_bytes()
            # The library takes whatever memory the blocks say that they need.
            if raw_size(packed) != expected:
                return None
            content = lzfse.decompress(packed)
        except (OSError, MemoryError, lzfse.error):
            return None
        whole = len(content) == expected
        return np.frombuffer(content, kind).reshape(height, width) if whole else None

    def fill(target: Path) -> None:
        for number, path in packed.items():
            metres = values(path, np.float32)
            if metres is None:
                continue
            good = np.isfinite(metres) & (metres > 0) & (metres < _FARTHEST)
            steps = np.rint(np.where(good, metres, 0) * 1000)
            write_image(target / f"{number}.png", steps.astype(np.uint16))
            if (folder / f"{number}.conf").is_file():
                confidence = values(folder / f"{number}.conf", np.uint8)
                if confidence is not None:
                    write_image(target / f"{number}.conf.png", confidence)

    made = derived_folder(file, fill)
    found = {
        number: (path, confidence if confidence.is_file() else None)
        for number in packed
        if (path := made / f"{number}.png").is_file()
        for confidence in [made / f"{number}.conf.png"]
    }
    lost = len(packed) - len(found)
    return found, (f"{lost} frames: depth is damaged and left out",) if lost else ()


def raw_size(packed: bytes) -> int | None:
    """What the blocks of an LZFSE stream unpack to, in bytes; None if it is no such stream.

    Blocks begin with four letters and the size of what they hold (lzfse_internal.h of the reference
    implementation).
    """
    at, total = 0, 0
    try:
        while (kind := packed[at : at + 4]) != b"bvx$":
            (raw,) = struct.unpack_from("<I", packed, at + 4)
            match kind:
                case b"bvx-":
                    at += 8 + raw
                case b"bvxn":
                    at += 12 + int(struct.unpack_from("<I", packed, at + 8)[0])
                case b"bvx2":
                    literals, matches, header = struct.unpack_from("<3Q", packed, at + 8)
                    at += header & 0xFFFFFFFF
                    at += (literals >> 20 & 0xFFFFF) + (matches >> 40 & 0xFFFFF)
                case _:
                    return None
            total += raw
            if not raw:
                return None
    except struct.error:
        return None
    return total
