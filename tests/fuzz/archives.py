"""Changes of zip and tar.gz files: entries that lead out, lie about their size, or are no files."""

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from random import Random

from tests.fuzz import raw_bytes
from tests.fuzz.raw_bytes import Change

NAMES = (
    *(
        "../x",
        "/tmp/fuzz-escape",
        "a/../../x",
        "..",
        ".",
        "",
        "./",
        "a//b",
        "C:\\x",
        "a\\..\\..\\x",
    ),
    *("..zip", "...zip", "a/..zip", ".zip", "x.zip/y", "x" * 300, "a/" * 200 + "b", "\ud800", "é"),
    *("a\nb", "con", " ", "x.ZIP", "a\x1bb", "...", "a/./b", "info.txt/x"),
)
_ZIP_KINDS = (0, 0o100644, 0o120777, 0o040755, 0o020666, 0o010666)
_TAR_KINDS = (b"0", b"1", b"2", b"3", b"5", b"6", b"L", b"K", b"x", b"g", b"S", b"V", b"\0", b"7")


def zip_of(entries: list[tuple[str, bytes]], *, kinds: dict[int, int] | None = None) -> bytes:
    """A zip file of names and contents; ``kinds`` are the Unix modes of some of them."""
    made = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),  # of names that are there twice
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for number, (name, content) in enumerate(entries):
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (kinds or {}).get(number, 0) << 16
            archive.writestr(info, content)
    return made.getvalue()


def tar_of(entries: list[tuple[str, bytes]], *, kinds: dict[int, bytes] | None = None) -> bytes:
    """A tar.gz file, likewise; ``kinds`` are the types of some entries."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number, (name, content) in enumerate(entries):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type = (kinds or {}).get(number, tarfile.REGTYPE)
            if info.type in (b"1", b"2"):
                info.linkname = "../../x"
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(made.getvalue(), 1, mtime=0)


def zip_entries(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a sound zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def tar_entries(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the files of a sound tar file."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [member for member in archive if member.isreg()]
        files = [(member.name, archive.extractfile(member)) for member in members]
        return [(name, file.read()) for name, file in files if file is not None]


def _entries_changed(rng: Random, entries: list[tuple[str, bytes]]) -> None:
    at = rng.randrange(len(entries))
    name, content = entries[at]
    match rng.randrange(8):
        case 0 | 1 | 2:
            entries[at] = (rng.choice(NAMES), content)
        case 3:
            entries.append((name, b"twice"))
        case 4:
            entries.insert(rng.randrange(len(entries)), (name + "/below", b"a file is a folder"))
        case 5:
            entries.append((rng.choice(NAMES) + rng.choice(("", ".zip")), zip_of([("a", b"b")])))
        case 6:
            entries[at] = (name, b"\0" * rng.choice((10, 3_000_000, 30_000_000)))
        case _:
            entries[at] = (name, rng.choice(raw_bytes.CHANGES)(rng, content))


def zip_entry_changed(rng: Random, content: bytes) -> bytes:
    """An entry has another name, kind or content."""
    entries = zip_entries(content)
    _entries_changed(rng, entries)
    kinds = {rng.randrange(len(entries)): rng.choice(_ZIP_KINDS)} if rng.random() < 0.3 else None
    return zip_of(entries, kinds=kinds)


def zip_directory_changed(rng: Random, content: bytes) -> bytes:
    """A field of an entry in the directory, or of the directory's end, tells a lie."""
    changed = bytearray(content)
    signature, size = rng.choice(
        ((b"PK\1\2", 46), (b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22))
    )
    starts, at = [], content.find(signature)
    while at >= 0:
        starts.append(at)
        at = content.find(signature, at + 1)
    field = rng.randrange(4, size - 1, 2)
    width = rng.choice((2, 4))
    value = rng.choice((0, 1, 8, 9, 12, 14, 99, 2**16 - 1, 2**31 - 1, 2**32 - 1)) % 256**width
    start = rng.choice(starts) + field
    changed[start : start + width] = value.to_bytes(width, "little")
    return bytes(changed[: len(content)])


def tar_entry_changed(rng: Random, content: bytes) -> bytes:
    """An entry has another name, type or content."""
    entries = tar_entries(content)
    _entries_changed(rng, entries)
    kinds = {rng.randrange(len(entries)): rng.choice(_TAR_KINDS)} if rng.random() < 0.5 else None
    return tar_of(entries, kinds=kinds)


def tar_header_changed(rng: Random, content: bytes) -> bytes:
    """A field of a header is another, with the right checksum, and compressed well."""
    plain = bytearray(gzip.decompress(content))
    blocks = [
        at for at in range(0, len(plain) - 511, 512) if plain[at + 257 : at + 262] == b"ustar"
    ]
    at = rng.choice(blocks)
    begin, width = rng.choice(
        ((0, 100), (100, 8), (124, 12), (124, 12), (156, 1), (157, 100), (345, 155))
    )
    value = rng.choice(
        (b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * width, b"../" * 40, b"\0")
    )
    plain[at + begin : at + begin + width] = value[:width].ljust(width, b"\0")
    plain[at + 148 : at + 156] = b" " * 8
    plain[at + 148 : at + 156] = b"%06o\0 " % sum(plain[at : at + 512])
    return gzip.compress(bytes(plain), 1, mtime=0)


def npy_header_changed(rng: Random, content: bytes) -> bytes:
    """An array of an npz file has another type or a shape beyond all measure."""
    entries = zip_entries(content)
    at = rng.randrange(len(entries))
    name, array = entries[at]
    end = 10 + struct.unpack("<H", array[8:10])[0] if array[:6] == b"\x93NUMPY" else 0
    header = array[10:end].decode("latin1").strip()
    old, new = rng.choice(
        (
            ("'shape': (", "'shape': (10000000000, "),
            ("'shape': (", "'shape': (-1, "),
            ("'shape': (", "'shape': (0, "),
            ("'descr': '", "'descr': '|O"),
            ("'descr': '", "'descr': '|S4', 'a': '"),
            ("False", "True"),
            ("{", "{" * 200),
            ("'", ""),
        )
    )
    text = header.replace(old, new).encode("latin1") + b"\n"
    entries[at] = (name, array[:8] + struct.pack("<H", len(text)) + text + array[end:])
    return zip_of(entries)


ZIP_CHANGES: tuple[Change, ...] = (*(zip_entry_changed,) * 5, *(zip_directory_changed,) * 3)
TAR_CHANGES: tuple[Change, ...] = (*(tar_entry_changed,) * 5, *(tar_header_changed,) * 4)
NPZ_CHANGES: tuple[Change, ...] = (*(npy_header_changed,) * 4, *ZIP_CHANGES)
