"""Small text files of datasets: lines, rows of numbers, poses."""

import sys
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.files import StrPath
from reloc.images.files import IMAGE_SUFFIXES, is_litter
from reloc.scenes.scene import Array

MAX_TEXT_BYTES = 256 * 1024 * 1024
_MAX_NUMBER_BYTES = 4096
# Texts hold names of files, which need not be UTF-8. Decoded as Python decodes names of files, with
# surrogates for bytes, they are the same as those.
_OF_NAMES = sys.getfilesystemencoding()
TEXT_ENCODING = "utf-8-sig" if _OF_NAMES == "utf-8" else _OF_NAMES


def read_text(path: StrPath, *, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of a UTF-8 file; bytes that are none become surrogates, as in names of files.

    Raises:
        SceneError: no such file, not text, or larger than ``limit`` bytes.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > limit:
            raise SceneError(f"{path}: {size} bytes are over the limit of {limit} for such a file")
        text = path.read_text(encoding=TEXT_ENCODING, errors="surrogateescape")
    except OSError as error:
        raise SceneError(f"{path}: cannot be read ({error.strerror}); restore it") from error
    if "\0" in text:
        raise SceneError(f"{path}: not a text file; restore it")
    return text


def data_lines(path: StrPath) -> list[tuple[int, str]]:
    """Line numbers (from 1) and stripped lines of a text file, without blanks and # comments.

    Raises:
        SceneError: as ``read_text``.
    """
    lines = enumerate((line.strip() for line in read_text(path).splitlines()), start=1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def read_numbers(path: Path) -> Array:
    """All numbers of a small text file, in a row.

    Raises:
        SceneError: as ``read_text``, or something is no number.
    """
    try:
        return np.array([float(word) for word in read_text(path, limit=_MAX_NUMBER_BYTES).split()])
    except ValueError as error:
        raise SceneError(f"{path}: holds something else than numbers ({error})") from error


def read_pose(path: Path) -> tuple[Array | None, str | None]:
    """A ``world_from_cam`` pose (4, 4) of a text file with 4 or 3 rows, and what is wrong with it.

    Returns:
        The pose and None; or None and the fault. A missing file is no fault: None and None.
    """
    if not path.exists():
        return None, None
    try:
        values = read_numbers(path)
    except SceneError as error:
        return None, str(error)
    if values.size == 12:
        values = np.append(values, (0.0, 0.0, 0.0, 1.0))
    if values.size != 16:
        return None, f"{path}: a pose has 16 numbers, this file has {values.size}"
    return values.reshape(4, 4), None


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their names; empty if there is no such folder."""
    return _files(folder, IMAGE_SUFFIXES)


def text_files(folder: Path) -> list[Path]:
    """``.txt`` files of a folder in the order of their names; empty if there is no such folder."""
    return _files(folder, (".txt",))


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes and not is_litter(p))
