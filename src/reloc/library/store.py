"""Where the files of a library lie: a local folder, or a bucket that fsspec reaches."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from reloc.errors import MapError, OutputError
from reloc.files import StrPath, atomic_path, sync_folder
from reloc.library.bucket import BucketStore
from reloc.library.staging import Staged, staged
from reloc.temporary import temporary_file


class Store(Protocol):
    """Files by name, without folders."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def local(self, name: str, *, fresh: bool = False) -> Path:
        """A local file with its content, which is not to be written to.

        Args:
            name: of the file.
            fresh: do not take a copy that was fetched before.

        Raises:
            MapError: there is no such file, or it cannot be fetched.
        """

    def check_writable(self) -> None:
        """Makes sure that files can be written, where that costs nothing. Raises OutputError."""

    def put(self, source: Path, name: str) -> None:
        """Stores a copy of a local file, at once or not at all. Raises OutputError."""

    def remove(self, name: str) -> None:
        """Removes a file if it is there. Raises OutputError."""

    def staged(self, source: Path) -> AbstractContextManager[Staged]:
        """Yields a private copy of a local file, for ``publish``. Raises OutputError."""

    def publish(self, copy: Staged, name: str) -> None:
        """Moves such a copy to its place, on disk when the call returns. Raises OutputError."""

    def locked(self) -> AbstractContextManager[None]:
        """Keeps out other writers for the block, where the index cannot do that by itself.

        Raises:
            MapError: there is another writer.
        """

    def edited(self, name: str) -> AbstractContextManager[Path]:
        """Yields a local file to be changed in place; it is stored when the block has ended."""

    def files(self) -> dict[str, float]:
        """All files with the seconds since they were written; 0 where that is not known."""

    def release(self, *, seconds: float) -> bool:
        """Removes the lock of a writer that was killed, if it is older; whether there was one."""


class FolderStore:
    """A local folder. The index is locked by SQLite."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, name: str) -> bool:
        """Whether the folder has such a file."""
        return (self.root / name).is_file()

    def local(self, name: str, *, fresh: bool = False) -> Path:
        """The file itself. Raises MapError if it is missing."""
        if not self.exists(name):
            raise MapError(f"{self.root / name}: missing from the library; add the map again")
        return self.root / name

    def check_writable(self) -> None:
        """Makes a temporary file and removes it. Raises OutputError if that fails."""
        with self._writing(), temporary_file(self.root):
            pass

    def put(self, source: Path, name: str) -> None:
        """Copies a local file into the folder, at once or not at all."""
        if source.resolve() == (self.root / name).resolve():
            return
        with atomic_path(self.root / name) as temporary:
            shutil.copyfile(source, temporary)

    def remove(self, name: str) -> None:
        """Removes a file if it is there. Raises OutputError."""
        with self._writing():
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def staged(self, source: Path) -> Iterator[Staged]:
        """Yields a copy in the folder, to be moved by ``publish``. Raises OutputError."""
        with self._writing(), staged(source, self.root) as copy:
            yield copy

    def publish(self, copy: Staged, name: str) -> None:
        """Moves such a copy to its place, on disk when the call returns. Raises OutputError."""
        with self._writing():
            copy.path.replace(self.root / name)
            sync_folder(self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps nobody out: SQLite locks the index."""
        yield

    @contextmanager
    def edited(self, name: str) -> Iterator[Path]:
        """Yields the file itself. Raises OutputError if it cannot be written."""
        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
            yield self.root / name

    def files(self) -> dict[str, float]:
        """All files with the seconds since they were written."""
        now, found = time.time(), {}
        with os.scandir(self.root) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found[entry.name] = max(0.0, now - entry.stat().st_mtime)
        return found

    def release(self, *, seconds: float) -> bool:
        """Removes nothing: a folder has no lock file."""
        return False

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self.root}: cannot be written ({error.strerror or error}); choose a folder with "
                "space and write permission"
            ) from error


def open_store(location: StrPath) -> Store:
    """The store at a path, or at a URL such as ``s3://bucket/folder``."""
    text = str(location)
    return BucketStore(text) if "://" in text else FolderStore(Path(text))
