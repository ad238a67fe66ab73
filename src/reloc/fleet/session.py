"""The private folder of a Ray that runs on this machine alone."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "reloc-ray-"
# Ray puts sockets 80 letters below, and systems take paths of 104.
_MAX_BASE = 16
# A folder so young may be about to be locked.
_SECONDS_TO_LOCK = 60.0


class Session:
    """A folder that nobody else can look into, until it is closed.

    Folders of sessions that were killed are removed first: a session holds a lock on its folder,
    which the system takes back when the process is gone. Ray gives everybody access to whatever
    folder it is told of, so that one is inside.
    """

    def __init__(self) -> None:
        short = len(tempfile.gettempdir()) <= _MAX_BASE
        base = Path(tempfile.gettempdir() if short else "/tmp")
        sweep(base)
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = _locked(self._folder)
        self.ray = self._folder / "r"
        self._scratch = self._folder / "tmp" if short else None
        if self._scratch is not None:
            self._scratch.mkdir()

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """What is started in the block has its temporary files in the folder, where they fit."""
        before = os.environ.get("TMPDIR")
        if self._scratch is not None:
            os.environ["TMPDIR"] = str(self._scratch)
        try:
            yield
        finally:
            if before is not None:
                os.environ["TMPDIR"] = before
            else:
                os.environ.pop("TMPDIR", None)

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sweep(base: Path) -> None:
    """Removes the folders of this user's sessions that nobody holds any more."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            old = time.time() - found.st_mtime > _SECONDS_TO_LOCK
            if not mine or not old or folder.is_symlink():
                continue
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """A lock on a folder, as a descriptor to close.

    None where another process has it, or the system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
