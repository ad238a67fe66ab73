"""Temporary files and folders that do not outlive their process for long.

Each has a name of a kind of its own and is locked as long as its process lives. What a killed
process left behind is therefore known by its name and by a lock that can be taken; it is removed
when the next process makes something temporary in the same folder.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from reloc.interruption import uninterrupted

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing swept
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"
# Beside results they are hidden.
_OURS = re.compile(r"\.?reloc-[a-z0-9_]{8}\.part")


@contextmanager
def temporary_file(folder: Path | None = None) -> Iterator[Path]:
    """Yields a new, empty file in a folder, by default that of the system for temporary files.

    It is removed at the end, if it has not been renamed.

    Raises:
        OSError: the folder cannot be written to.
    """
    with _temporary(folder, _new_file) as path:
        yield path


@contextmanager
def temporary_folder(folder: Path | None = None) -> Iterator[Path]:
    """Yields a new, empty folder; all else as with ``temporary_file``."""
    with _temporary(folder, _new_folder) as path:
        yield path


@contextmanager
def _temporary(folder: Path | None, new: Callable[[str, str], tuple[int, str]]) -> Iterator[Path]:
    where, prefix = str(folder or tempfile.gettempdir()), ".reloc-" if folder else "reloc-"
    _sweep(os.path.realpath(where))
    path, handle = None, -1
    try:
        with uninterrupted():
            while path is None:
                handle, name = new(prefix, where)
                if _is_kept(handle, name):
                    path = Path(name)
                else:
                    os.close(handle)
        yield path
    finally:
        with uninterrupted():
            if path is not None:
                _remove(path)
                if handle >= 0:
                    os.close(handle)


def _new_file(prefix: str, folder: str) -> tuple[int, str]:
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
    if fcntl is None:  # Windows does not rename files that are open
        os.close(handle)
        handle = -1
    return handle, name


def _new_folder(prefix: str, folder: str) -> tuple[int, str]:
    name = tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=folder)
    return (-1 if fcntl is None else os.open(name, os.O_RDONLY)), name


def _is_kept(handle: int, name: str) -> bool:
    """Locks what was made; false if another process took it for left behind before that."""
    if handle < 0:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nothing is swept either
    return _is_at(handle, name)


def _is_at(handle: int, name: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(name))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _sweep(folder: str) -> None:
    """Removes what dead processes left in a folder, once in the life of this process."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _OURS.fullmatch(entry.name):
                _remove_orphan(Path(entry.path))


def _remove_orphan(path: Path) -> None:
    with suppress(OSError):  # it is gone, another user's or no plain thing
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            made = os.fstat(handle)
            plain = stat.S_ISREG(made.st_mode) or stat.S_ISDIR(made.st_mode)
            if plain and made.st_uid == os.getuid():
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(handle, str(path)):
                    _remove(path)
        finally:
            os.close(handle)
