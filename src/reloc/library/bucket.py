"""The files of a library in a bucket, or wherever else fsspec has a protocol for."""

import os
import socket
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reloc.errors import MapError, OptionError, OutputError, RelocError
from reloc.files import atomic_path
from reloc.library.staging import Staged, staged
from reloc.temporary import temporary_folder

LOCK = ".library.lock"
_SECONDS_TO_WAIT = 60.0
_SECONDS_BETWEEN_TRIES = 0.5


class BucketStore:
    """Whatever fsspec has a protocol for; files are fetched once, to a temporary folder.

    One writer at a time: it holds a lock file, and stores the index only if that is still the one
    that it has changed.

    Raises:
        OptionError: fsspec, or what it needs for the protocol, is not installed.
    """

    def __init__(self, url: str) -> None:
        self._files, self._root = open_filesystem(url)
        self.url = url
        with ExitStack() as stack:
            self._cache = stack.enter_context(temporary_folder())
            weakref.finalize(self, stack.pop_all().close)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Whether the bucket has such a file."""
        return bool(self._files.exists(self._path(name)))

    def local(self, name: str, *, fresh: bool = False) -> Path:
        """Fetches the file unless a copy is here. Raises MapError if that fails."""
        path = self._cache / name
        if fresh or not path.exists():
            with atomic_path(path) as temporary, self._reported(name, MapError, "fetched"):
                self._files.get_file(self._path(name), str(temporary))
        return path

    def check_writable(self) -> None:
        """A bucket tells only by what is written to it."""

    def put(self, source: Path, name: str) -> None:
        """Uploads a local file under a name of its own, then moves it to its place.

        Raises whatever the file system raises.
        """
        self._files.makedirs(self._root, exist_ok=True)
        # A name of its own for each writer: two of them must not write to one file.
        part = self._path(f".{name}.{uuid.uuid4().hex}.part")
        self._files.put_file(str(source), part)
        self._files.mv(part, self._path(name))

    def remove(self, name: str) -> None:
        """Removes a file if it is there. Raises whatever the file system raises."""
        if self.exists(name):
            self._files.rm_file(self._path(name))

    @contextmanager
    def staged(self, source: Path) -> Iterator[Staged]:
        """Yields a copy in the local cache, to be uploaded by ``publish``."""
        with staged(source, self._cache) as copy:
            yield copy

    def publish(self, copy: Staged, name: str) -> None:
        """Uploads such a copy. Raises OutputError if that fails or the file came out shorter."""
        with self._reported(name, OutputError, "written"):
            self.put(copy.path, name)
            size = self._files.size(self._path(name))
        if size not in (None, copy.bytes):
            raise OutputError(f"{self.url}/{name}: was cut short in storing; try again")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds a lock file in the bucket for the block.

        Raises:
            MapError: another writer holds it for too long.
        """
        mark = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}".encode()
        until = time.monotonic() + _SECONDS_TO_WAIT
        while not self._take(mark):
            if time.monotonic() > until:
                raise MapError(
                    f"{self.url}: another writer is at work, or was killed; wait for it, or see "
                    f"`reloc library repair {self.url}`"
                )
            time.sleep(_SECONDS_BETWEEN_TRIES)
        try:
            yield
        finally:
            with suppress(Exception):
                if self._holds(mark):
                    self.remove(LOCK)

    def _take(self, mark: bytes) -> bool:
        with self._reported(LOCK, OutputError, "written"):
            self._files.makedirs(self._root, exist_ok=True)
            self._files.invalidate_cache()
            # Not every protocol can create a file only where there is none, or knows the mode.
            if self.exists(LOCK):
                return False
            try:
                self._files.pipe_file(self._path(LOCK), mark, mode="create")
            except FileExistsError:
                return False
            except TypeError:
                self._files.pipe_file(self._path(LOCK), mark)
        return self._holds(mark)

    def _holds(self, mark: bytes) -> bool:
        with self._reported(LOCK, MapError, "read"):
            try:
                return bool(self._files.cat_file(self._path(LOCK)) == mark)
            except FileNotFoundError:
                return False

    @contextmanager
    def edited(self, name: str) -> Iterator[Path]:
        """Yields a fetched copy; uploads it when the block has ended.

        Raises:
            MapError: another writer changed the file meanwhile.
            OutputError: it cannot be uploaded.
        """
        path, before = self._cache / name, self._state(name)
        if before is None:
            path.unlink(missing_ok=True)
        else:
            self.local(name, fresh=True)
        try:
            yield path
            if self._state(name) != before:
                raise MapError(f"{self.url}: another writer changed the library; try again")
            with self._reported(name, OutputError, "written"):
                self.put(path, name)
        except BaseException:
            # What was not stored must not be read here either.
            with suppress(RelocError):
                self.local(name, fresh=True)
            raise

    def _state(self, name: str) -> str | None:
        """What changes whenever a file does, None where there is none."""
        with self._reported(name, MapError, "looked for"):
            self._files.invalidate_cache()
            return str(self._files.ukey(self._path(name))) if self.exists(name) else None

    def files(self) -> dict[str, float]:
        """All files with the seconds since they were written; 0 where that is not known."""
        with self._reported("", MapError, "listed"):
            self._files.invalidate_cache()
            paths = [e["name"] for e in self._files.ls(self._root, detail=True) if _is_file(e)]
        return {path.rpartition("/")[2]: self._age(path) for path in paths}

    def _age(self, path: str) -> float:
        try:
            written = self._files.modified(path)
        except Exception:  # not all protocols know
            return 0.0
        if written.tzinfo is None:
            written = written.replace(tzinfo=UTC)
        return max(0.0, (datetime.now(UTC) - written).total_seconds())

    def release(self, *, seconds: float) -> bool:
        """Removes the lock file if it is older; whether it did. Raises OutputError."""
        with self._reported(LOCK, OutputError, "removed"):
            old = self.exists(LOCK) and self._age(self._path(LOCK)) > seconds
            if old:
                self.remove(LOCK)
        return old

    @contextmanager
    def _reported(self, name: str, kind: type[RelocError], done: str) -> Iterator[None]:
        """Every protocol has errors of its own."""
        try:
            yield
        except RelocError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise kind(
                f"{self.url}/{name}: cannot be {done} ({reason}); check the address and your "
                "permissions"
            ) from error


def _is_file(entry: dict[str, Any]) -> bool:
    return entry.get("type") == "file"


def open_filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system that a URL names, and the path in it.

    Raises:
        OptionError: fsspec, or what it needs for the protocol, is not installed.
    """
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise OptionError(
            f"{url}: cannot be opened ({error}); install reloc[buckets] and the library of the "
            "protocol"
        ) from error
    return files, str(path)
