"""A file on its way into a library."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reloc.files import make_public
from reloc.temporary import temporary_file

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Staged:
    """A private copy of a file, on disk.

    Attributes:
        path: of the copy.
        bytes: of it.
        sha256: digest of it.
    """

    path: Path
    bytes: int
    sha256: str


@contextmanager
def staged(source: Path, folder: Path) -> Iterator[Staged]:
    """Yields a copy of a file, which is gone afterwards unless it was moved to its place.

    Raises:
        OSError: the file cannot be read, or the folder not be written to.
    """
    digest, size = hashlib.sha256(), 0
    with temporary_file(folder) as copy:
        with source.open("rb") as given, copy.open("wb") as file:
            while chunk := given.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        make_public(copy)
        yield Staged(copy, size, digest.hexdigest())


def size_and_digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
