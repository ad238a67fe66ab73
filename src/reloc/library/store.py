"""Where the files of a library lie: a local folder, or a bucket that fsspec reaches."""

import shutil
import uuid
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from reloc.errors import MapError, OptionError
from reloc.files import atomic_path
from reloc.temporary import temporary_folder


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

    def put(self, source: Path, name: str) -> None:
        """Stores a copy of a local file, at once or not at all."""

    def remove(self, name: str) -> None:
        """Removes a file if it is there."""


class FolderStore:
    """A local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, name: str) -> bool:
        return (self.root / name).is_file()

    def local(self, name: str, *, fresh: bool = False) -> Path:
        if not self.exists(name):
            raise MapError(f"{self.root / name}: missing from the library; add the map again")
        return self.root / name

    def put(self, source: Path, name: str) -> None:
        if source.resolve() == (self.root / name).resolve():
            return
        with atomic_path(self.root / name) as temporary:
            shutil.copyfile(source, temporary)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


class BucketStore:
    """Whatever fsspec has a protocol for; files are fetched once, to a temporary folder.

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
        return bool(self._files.exists(self._path(name)))

    def local(self, name: str, *, fresh: bool = False) -> Path:
        path = self._cache / name
        if fresh or not path.exists():
            try:
                with atomic_path(path) as temporary:
                    self._files.get_file(self._path(name), str(temporary))
            except Exception as error:  # every protocol has errors of its own
                raise MapError(f"{self.url}/{name}: cannot be fetched ({error})") from error
        return path

    def put(self, source: Path, name: str) -> None:
        self._files.makedirs(self._root, exist_ok=True)
        # A name of its own for each writer: two of them must not write to one file.
        part = self._path(f".{name}.{uuid.uuid4().hex}.part")
        self._files.put_file(str(source), part)
        self._files.mv(part, self._path(name))

    def remove(self, name: str) -> None:
        if self.exists(name):
            self._files.rm_file(self._path(name))


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


def open_store(location: str | Path) -> Store:
    """The store at a path, or at a URL such as ``s3://bucket/folder``."""
    text = str(location)
    return BucketStore(text) if "://" in text else FolderStore(Path(text))
