"""Unpacking zip and tar.gz files from the internet: nothing leaves the folder, nothing explodes."""

import gzip
import os
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from reloc.errors import DownloadError, OutputError
from reloc.progress import Progress, silent

_CHUNK = 1 << 20
_TAR_HEADERS = 1 << 20
_NAME_BYTES, _PATH_BYTES = 255, 1024
_DEVICES = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10)))
)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        entries: files and folders, those of archives inside it included.
        total_bytes: of all files, unpacked.
        ratio: unpacked bytes for each packed one; photos hardly shrink, text does so tenfold.
        depth: archives inside archives.
    """

    entries: int = 500_000
    total_bytes: int = 128 << 30
    ratio: float = 200.0
    depth: int = 1


def unpack(
    archive: Path,
    folder: Path,
    *,
    limits: Limits = Limits(),
    progress: Progress = silent,
) -> None:
    """Unpacks a zip or tar.gz file, and the zip files inside it, and checks every byte.

    A zip file inside is unpacked where it lies and removed. Checksums are those of the formats:
    each entry of a zip, the whole of a tar.gz.

    Args:
        archive: the file; its first bytes tell its format.
        folder: an existing folder to unpack into.
        limits: what to refuse.
        progress: called with stage "unpack", in files.

    Raises:
        DownloadError: the archive is damaged, cut short, encrypted or over the limits, or an entry
            is a link, a device, leads out of the folder or has a name that another entry has or
            not every system takes.
        OutputError: the disk has too little room.
        OSError: the folder cannot be written to.
    """
    # Archives inside count against the outermost, or each layer would multiply the ratio.
    most = min(limits.total_bytes, int(limits.ratio * archive.stat().st_size) + _CHUNK)
    _Unpacker(folder, limits, most, progress).unpack(archive, folder, depth=0)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Turns what the standard library raises on damage into a DownloadError with a remedy."""
    damage = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        gzip.BadGzipFile,
        NotImplementedError,  # zip compression that Python does not know
        RuntimeError,  # an encrypted zip entry
        UnicodeError,
        ValueError,
    )
    try:
        yield
    except damage as error:
        raise DownloadError(
            f"{archive}: the archive is damaged or cut short ({_told(error)}); fetch it again"
        ) from error


def _told(error: Exception) -> str:
    """What an error says in so far as it is no content of the archive."""
    return ascii(str(error)[:80])[1:-1] or type(error).__name__


class _Unpacker:
    """Unpacks one archive with what is inside; keeps count over all of it."""

    def __init__(self, root: Path, limits: Limits, most: int, progress: Progress) -> None:
        self._root = root
        self._limits = limits
        self._most = most
        self._progress = progress
        self._entries = 0
        self._bytes = 0
        # What was unpacked, by its path in lower case.
        self._claimed: dict[str, Path] = {}

    def unpack(self, archive: Path, folder: Path, *, depth: int) -> None:
        with archive.open("rb") as file:
            magic = file.read(4)
        with _damage_named(archive):
            if magic[:2] == b"PK":
                written = self._unpack_zip(archive, folder)
            elif magic[:2] == b"\x1f\x8b":
                written = self._unpack_tar(archive, folder)
            else:
                raise DownloadError(
                    f"{archive}: neither a zip nor a tar.gz file; the server may have sent an "
                    "error page, fetch it again"
                )
        for inner in written:
            # What a Mac leaves beside a file has its name, but is no archive.
            if inner.suffix.lower() != ".zip" or inner.name.startswith("._"):
                continue
            if depth >= self._limits.depth:
                raise DownloadError(f"{archive}: holds archives inside archives; not unpacked")
            self._unpack_inner(archive, inner, depth=depth + 1)

    def _unpack_inner(self, archive: Path, inner: Path, *, depth: int) -> None:
        """``seq-01.zip`` gives ``seq-01``, whether or not its entries begin with that folder."""
        with _damage_named(inner), zipfile.ZipFile(inner) as opened:
            own_folder = any(name.startswith(inner.stem + "/") for name in opened.namelist())
        folder = inner.parent
        if not own_folder:
            folder = self._target(archive, inner.parent, inner.stem)
            if folder == inner.parent:
                raise DownloadError(f"{archive}: {inner.name!r} names no folder; not unpacked")
            self._make_folder(archive, folder)
        self.unpack(inner, folder, depth=depth)
        inner.unlink()

    def _unpack_zip(self, archive: Path, folder: Path) -> list[Path]:
        written = []
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            begins = [member.header_offset for member in members]
            if members and not (min(begins) >= 0 and max(begins) < archive.stat().st_size):
                raise zipfile.BadZipFile("an entry begins outside of it")
            if members and min(begins) > 0:
                # zipfile takes the end of a file for a zip; cut short, that may be a zip inside it.
                raise zipfile.BadZipFile("it does not begin with its first entry")
            self._check_room(archive, folder, sum(member.file_size for member in members))
            for member in members:
                target = self._target(archive, folder, member.filename)
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise DownloadError(
                        f"{archive}: the entry {member.filename!r} is a link or a device; "
                        "not unpacked"
                    )
                if not member.filename:
                    raise zipfile.BadZipFile("an entry without a name")
                if member.is_dir():
                    self._make_folder(archive, target)
                    continue
                with opened.open(member) as source:
                    self._write(archive, source.read, target)
                written.append(target)
                self._progress("unpack", self._entries, max(self._entries, len(members)))
        return written

    def _unpack_tar(self, archive: Path, folder: Path) -> list[Path]:
        written = []
        with gzip.open(archive) as stream:
            metered = _Metered(stream)
            metered.allow(_TAR_HEADERS)
            # As a stream: every byte passes once, in order, and is counted.
            with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|") as opened:
                while (member := opened.next()) is not None:
                    target = self._target(archive, folder, member.name)
                    if member.isdir():
                        self._make_folder(archive, target)
                    elif member.isreg() and not member.issparse():
                        self._check_room(archive, folder, member.size)
                        metered.allow(member.size + _TAR_HEADERS)
                        source = opened.extractfile(member)
                        assert source is not None
                        with source:
                            self._write(archive, source.read, target)
                        written.append(target)
                        self._progress("unpack", self._entries, self._entries)
                    else:
                        raise DownloadError(
                            f"{archive}: the entry {member.name!r} is a link or a device; "
                            "not unpacked"
                        )
                    metered.allow(_TAR_HEADERS)
            # The checksum stands at the very end of the gzip stream.
            metered.allow(_TAR_HEADERS)
            while metered.read(_CHUNK):
                pass
        return written

    def _target(self, archive: Path, folder: Path, name: str) -> Path:
        """Where an entry goes, if that is inside the folder."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise DownloadError(
                f"{archive}: more than {self._limits.entries} entries; not unpacked"
            )
        path = PurePosixPath(name)
        outside = path.is_absolute() or ".." in path.parts
        if outside or "\\" in name or "\0" in name or ":" in name:
            raise DownloadError(
                f"{archive}: the entry {name[:200]!r} leads out of the folder; not unpacked"
            )
        if len(os.fsencode(name)) > _PATH_BYTES or not all(map(_portable, path.parts)):
            raise DownloadError(
                f"{archive}: the entry {name[:200]!r} has a name that not every system takes; not "
                "unpacked"
            )
        return folder / path

    def _make_folder(self, archive: Path, folder: Path) -> None:
        """Makes a folder and those around it, none of which may be a link or a file."""
        below = [folder, *folder.parents]
        for path in reversed(below[: below.index(self._root)]):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise DownloadError(
                    f"{archive}: {path.name!r} is a folder of it, but {path} is a link or a file; "
                    "not unpacked"
                )
            self._claim(archive, path)
            path.mkdir(exist_ok=True)

    def _claim(self, archive: Path, path: Path) -> None:
        """Refuses a name that is another's on systems without upper and lower case."""
        key = unicodedata.normalize("NFC", path.as_posix()).casefold()
        other = self._claimed.setdefault(key, path)
        if other != path:
            raise DownloadError(
                f"{archive}: {other.name!r} and {path.name!r} are one name where case does not "
                "count; not unpacked"
            )

    def _write(self, archive: Path, read: Callable[[int], bytes], target: Path) -> None:
        self._make_folder(archive, target.parent)
        if os.path.lexists(target):
            raise DownloadError(
                f"{archive}: the entry {target.name!r} occurs twice, or lies there already; not "
                "unpacked"
            )
        self._claim(archive, target)
        with target.open("xb") as file:
            while chunk := read(_CHUNK):
                self._bytes += len(chunk)
                # What the archive says of its sizes may be a lie; count what really comes out.
                if self._bytes > self._most:
                    raise DownloadError(
                        f"{archive}: unpacks to more than {self._most >> 20} MiB; not unpacked"
                    )
                file.write(chunk)

    @staticmethod
    def _check_room(archive: Path, folder: Path, size: int) -> None:
        free = shutil.disk_usage(folder).free
        if size > free:
            raise OutputError(
                f"{archive}: needs {size >> 20} MiB and {folder} has {free >> 20} MiB left; "
                "choose another disk"
            )


def _portable(part: str) -> bool:
    """Whether a name of a file or folder means the same on every system.

    Windows drops dots and spaces at the end and keeps names of devices to itself; 255 bytes are
    what most file systems take.
    """
    device = part.split(".")[0].rstrip().upper() in _DEVICES
    control = any(ord(letter) < 32 for letter in part)
    return (
        len(os.fsencode(part)) <= _NAME_BYTES
        and part[-1] not in ". "
        and not device
        and not control
    )


class _Metered:
    """A stream that may be read only so far ahead.

    tarfile reads the long names and attributes before an entry into memory, however long the
    archive says they are; the allowance bounds that.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = 0

    def allow(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise tarfile.ReadError("an entry has a header without end")
        return chunk
