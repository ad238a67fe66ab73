"""A file on its way into a library."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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

    Its name is hidden and ends in ``.part``, as those of all unfinished files.

    Raises:
        OSError: the file cannot be read, or the folder not be written to.
    """
    copy = folder / f".{source.stem[:100]}.safetensors.{uuid.uuid4().hex}.part"
    digest, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as given, copy.open("xb") as file:
            while chunk := given.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        yield Staged(copy, size, digest.hexdigest())
    finally:
        copy.unlink(missing_ok=True)


def size_and_digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
