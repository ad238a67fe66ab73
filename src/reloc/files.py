"""Writing files so that a reader sees the old content or the new, never half of it."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reloc.errors import OutputError


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{path}: cannot be written ({reason}); choose a folder with space and write permission"
    )


def check_writable(path: Path) -> None:
    """Makes sure of a place for a result: minutes of work should not end where none can be.

    Missing parent folders are made.

    Raises:
        OutputError: a folder stands there, or the place cannot be written to.
    """
    if path.is_dir():
        raise OutputError(
            f"{path}: is a folder; name a file, for instance {path / 'map.safetensors'}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.with_name(f".{path.name}.probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose a folder you may write to"
        ) from error


def check_new_folder(path: Path) -> None:
    """Makes sure of a place for a folder of results, as ``check_writable`` does for a file.

    Raises:
        OutputError: something that is not an empty folder stands there, or the place cannot be
            written to.
    """
    try:
        if (path.exists() or path.is_symlink()) and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: already there; remove it or choose another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".probe", dir=path.parent)).rmdir()
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` that takes its place when the block succeeds.

    Missing parent folders are made. If the block fails the temporary file is removed and whatever
    stood at ``path`` stays as it was.

    Raises:
        OutputError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes private files; results get the permissions that the user's umask gives.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yields a binary file that appears at ``path`` when the block succeeds.

    For serialisers that take a file: what goes wrong on the disk then comes as an OSError, whatever
    they make of it themselves. Raises OutputError as ``atomic_path`` does.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file
        file.flush()


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, in UTF-8; names of files that are none keep their bytes.

    Raises OutputError as ``atomic_path`` does.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside ``path`` that takes its place when the block succeeds.

    Missing parent folders are made. If the block fails the temporary folder is removed.

    Raises:
        OutputError: something that is not an empty folder stands at ``path``, the place cannot be
            written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: already there; remove it or choose another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


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
