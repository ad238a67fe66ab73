"""Writing files so that a reader sees the old content or the new, never half of it."""

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from reloc.errors import OutputError
from reloc.temporary import temporary_file, temporary_folder

# What a user may give for the path of a file or folder.
StrPath: TypeAlias = str | os.PathLike[str]

_DESCRIPTOR = re.compile(r"/dev/(?:fd/(?P<number>\d+)|(?P<name>stdout|stderr))")


def make_public(temporary: Path) -> None:
    """Gives a temporary file or folder, which is private, what the user's umask allows."""
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod((0o777 if temporary.is_dir() else 0o666) & ~umask)


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{path}: cannot be written ({reason}); choose a folder with space and write permission"
    )


def check_writable(path: StrPath) -> None:
    """Makes sure of a place for a result: minutes of work should not end where none can be.

    Missing parent folders are made.

    Raises:
        OutputError: a folder stands there, or the place cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file, in it or elsewhere")
    if is_stream(path):
        if not os.access(path, os.W_OK):
            raise OutputError(f"{path}: cannot be written to; name another file")
        return
    try:
        with temporary_file(_made_parent(_target(path))):
            pass
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose a folder you may write to"
        ) from error


def check_new_folder(path: StrPath) -> None:
    """Makes sure of a place for a folder of results, as ``check_writable`` does for a file.

    Raises:
        OutputError: something that is not an empty folder stands there, or the place cannot be
            written to.
    """
    path = Path(path)
    try:
        if (path.exists() or path.is_symlink()) and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: already there; remove it or choose another folder")
        with temporary_folder(_made_parent(_target(path))):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def atomic_path(path: StrPath) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` that takes its place when the block succeeds.

    Missing parent folders are made. If the block fails the temporary file is removed and whatever
    stood at ``path`` stays as it was. Of a link the target is replaced, and stays so if the power
    fails a moment later. What is no file, as a device or a pipe, is written to instead.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
        BrokenPipeError: nobody reads what was written to any more.
    """
    path = Path(path)
    try:
        if is_stream(path):
            with temporary_file() as temporary:
                yield temporary
                _pour(temporary, path)
            return
        target = _target(path)
        with temporary_file(_made_parent(target)) as temporary:
            yield temporary
            _sync(temporary)
            make_public(temporary)
            temporary.replace(target)
            sync_folder(target.parent)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _target(path: Path) -> Path:
    """What is replaced: of a link, what it leads to."""
    return Path(os.path.realpath(path))


def _made_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


def is_stream(path: Path) -> bool:
    """Whether a path names a device, a pipe or an open file: nothing that could be replaced."""
    there = path.exists() and not path.is_file() and not path.is_dir()
    return there or _DESCRIPTOR.fullmatch(str(path)) is not None


def _pour(source: Path, stream: Path) -> None:
    with source.open("rb") as file, _opened(stream) as out:
        shutil.copyfileobj(file, out)


def _opened(stream: Path) -> BinaryIO:
    descriptor = _DESCRIPTOR.fullmatch(str(stream))
    if descriptor is None:
        return stream.open("wb")
    # Opened by name a file would be written from its start, over what was printed to it.
    sys.stdout.flush()
    number = {"stdout": "1", "stderr": "2"}.get(descriptor["name"], descriptor["number"])
    return os.fdopen(os.dup(int(number)), "wb")


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last. Some systems know no such thing."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def atomic_file(path: StrPath) -> Iterator[BinaryIO]:
    """Yields a binary file that appears at ``path`` when the block succeeds.

    For serialisers that take a file: what goes wrong on the disk then comes as an OSError, whatever
    they make of it themselves. Raises OutputError as ``atomic_path`` does.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file
        file.flush()


def write_text(path: StrPath, text: str) -> None:
    """Writes a text file atomically, in UTF-8; names of files that are none keep their bytes.

    Raises OutputError as ``atomic_path`` does.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


@contextmanager
def atomic_folder(path: StrPath) -> Iterator[Path]:
    """Yields a temporary folder beside ``path`` that takes its place when the block succeeds.

    Missing parent folders are made. If the block fails the temporary folder is removed. Of a link
    the target is replaced.

    Raises:
        OutputError: something that is not an empty folder stands at ``path``, the place cannot be
            written to, or the disk is full.
    """
    path = Path(path)
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: already there; remove it or choose another folder")
        target = _target(path)
        with temporary_folder(_made_parent(target)) as temporary:
            yield temporary
            for folder, _, names in os.walk(temporary):
                for name in names:
                    _sync(Path(folder, name))
                sync_folder(Path(folder))
            make_public(temporary)
            temporary.replace(target)
            sync_folder(target.parent)
    except OSError as error:
        raise _unwritable(path, error) from error


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Strict JSON of dicts, sequences, numbers, strings and numpy arrays.

    NaN and infinity, which JSON does not know and other readers refuse, become null.
    """
    return json.dumps(_strict(value), indent=indent, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
