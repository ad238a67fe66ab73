"""Unpacking archives that are good, damaged or hostile."""

import gzip
import io
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from reloc.errors import DownloadError, OutputError
from reloc.scenes.archives import Limits, unpack


def make_zip(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content, **options)
    return path


def zip_bytes(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def make_tar(path: Path, files: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
        for member in extra:
            opened.addfile(member)
    return path


def unpacked(archive: Path, limits: Limits | None = None) -> dict[str, bytes]:
    folder = archive.parent / "out"
    folder.mkdir()
    unpack(archive, folder, limits=limits or Limits())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


FILES = {"scene/a.txt": b"one", "scene/sub/b.bin": bytes(range(256)) * 50, "scene/empty": b""}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_files_come_out_as_they_went_in(tmp_path, kind):
    make = make_zip if kind == "zip" else make_tar
    assert unpacked(make(tmp_path / "a.bin", FILES)) == FILES


def test_long_names_of_tar_files_come_out(tmp_path):
    files = {"scene/" + "x" * 180 + ".txt": b"one"}
    assert unpacked(make_tar(tmp_path / "a.tar.gz", files)) == files


def test_zip_files_inside_are_unpacked_where_they_lie(tmp_path):
    inner = {
        "scene/seq-01.zip": zip_bytes({"seq-01/frame.txt": b"1", "Thumbs.db": b"2"}),
        "scene/seq-02.zip": zip_bytes({"frame.txt": b"3"}),
        "scene/TrainSplit.txt": b"sequence1",
    }
    assert unpacked(make_zip(tmp_path / "a.zip", inner)) == {
        "scene/seq-01/frame.txt": b"1",
        "scene/Thumbs.db": b"2",
        "scene/seq-02/frame.txt": b"3",
        "scene/TrainSplit.txt": b"sequence1",
    }


def test_archives_deeper_inside_are_refused(tmp_path):
    deep = zip_bytes({"b.zip": zip_bytes({"c.txt": b"1"})})
    with pytest.raises(DownloadError, match="archives inside archives"):
        unpacked(make_zip(tmp_path / "x.zip", {"a.zip": deep}))


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt"]
)
def test_entries_that_lead_out_are_refused(tmp_path, kind, name):
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / "a.bin", {name: b"evil"})
    with pytest.raises(DownloadError, match="leads out of the folder"):
        unpacked(archive)
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("name", ["...zip", "a/...zip", "..zip", "a/..zip", "a/x..zip", "a/x .zip"])
def test_archives_inside_do_not_lead_out(tmp_path, name):
    """A folder of the archive's name is made: ``..`` for the first."""
    inner = zip_bytes({"evil.txt": b"evil"})
    with pytest.raises(DownloadError, match=r"leads out|names no folder|not every system"):
        unpacked(make_zip(tmp_path / "a.zip", {name: inner}))
    assert not list(tmp_path.rglob("evil.txt"))


def test_hidden_and_mac_files_that_end_in_zip_are_no_archives(tmp_path):
    files = {".zip": b"1", "__MACOSX/._seq-01.zip": b"2", "seq/._a.zip": b"3"}
    assert unpacked(make_zip(tmp_path / "a.zip", files)) == files


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name",
    ["a.", "a /b.txt", "a/b.txt ", "con", "a/Aux.txt", "lpt1 .b", "a\nb", "x" * 256, "x/" * 600],
)
def test_names_that_not_every_system_takes_are_refused(tmp_path, kind, name):
    make = make_zip if kind == "zip" else make_tar
    name = name + "c.txt" if name.endswith("/") else name
    with pytest.raises(DownloadError, match="not every system takes"):
        unpacked(make(tmp_path / "a.bin", {name: b"1"}))


@pytest.mark.parametrize(
    "names",
    [("a.txt", "A.TXT"), ("a/b.txt", "A/c.txt"), ("a/b.txt", "A"), ("\u00e9.txt", "e\u0301.txt")],
)
def test_names_that_differ_in_case_alone_are_refused(tmp_path, names):
    with pytest.raises(DownloadError, match="are one name"):
        unpacked(make_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1")))


@pytest.mark.parametrize(
    "files",
    [
        {"a": b"1", "a/b.txt": b"2"},
        {"a": b"1", "a.zip": zip_bytes({"b.txt": b"2"})},
        {"a/b.txt": b"1", "a": b"2"},
        {"a/b.txt": b"1", "a.zip": zip_bytes({"b.txt": b"2"})},
        {"A/c.txt": b"1", "a.zip": zip_bytes({"b.txt": b"2"})},
    ],
)
def test_nothing_takes_the_place_of_something_else(tmp_path, files):
    with pytest.raises(DownloadError, match=r"a link or a file|occurs twice|are one name"):
        unpacked(make_zip(tmp_path / "x.bin", files))


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("link", ["scene", "scene/sub", "scene/a.txt"])
def test_links_that_lie_in_the_folder_are_not_followed(tmp_path, kind, link):
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / "a.bin", FILES)
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(outside / "a.txt" if link.endswith(".txt") else outside)
    with pytest.raises(DownloadError, match=r"is a link or a file|lies there already"):
        unpack(archive, out)
    assert not list(outside.iterdir())


def test_names_of_a_tar_that_are_not_utf8_come_out(tmp_path):
    name = b"scene/\xca\xd3.txt".decode("utf-8", "surrogateescape")
    assert unpacked(make_tar(tmp_path / "a.tar.gz", {name: b"1"})) == {name: b"1"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("scene/link")
    member.type, member.linkname = kind, "/etc/passwd"
    archive = make_tar(tmp_path / "a.tar.gz", {"scene/a.txt": b"1"}, member)
    with pytest.raises(DownloadError, match="is a link or a device"):
        unpacked(archive)
    assert not (tmp_path / "out/scene/link").exists()


def test_links_in_a_zip_are_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        member = zipfile.ZipInfo("scene/link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(member, "/etc/passwd")
    with pytest.raises(DownloadError, match="is a link or a device"):
        unpacked(archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bombs_stop_at_the_ratio(tmp_path, kind):
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / "a.bin", {"zeros": bytes(40 << 20)})
    with pytest.raises(DownloadError, match="unpacks to more than"):
        unpacked(archive, Limits(ratio=100))
    assert (tmp_path / "out/zeros").stat().st_size < 20 << 20


def test_a_bomb_inside_counts_against_the_outer_archive(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("seq/zeros", bytes(40 << 20))
    archive = make_zip(tmp_path / "a.zip", {"seq.zip": buffer.getvalue()})
    with pytest.raises(DownloadError, match="unpacks to more than"):
        unpacked(archive, Limits(ratio=100))


def test_a_size_that_lies_does_not_help_a_bomb(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"zeros": bytes(40 << 20)})
    data = bytearray(archive.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(DownloadError):
        unpacked(archive, Limits(ratio=100))
    assert (tmp_path / "out/zeros").stat().st_size < 20 << 20


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_entries_and_too_many_bytes_are_refused(tmp_path, kind):
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / "a.bin", FILES)
    with pytest.raises(DownloadError, match="more than 2 entries"):
        unpacked(archive, Limits(entries=2))
    (tmp_path / "out").rename(tmp_path / "before")
    with pytest.raises(DownloadError, match="unpacks to more than"):
        unpacked(archive, Limits(total_bytes=1000))


def test_headers_without_end_are_not_read_into_memory(tmp_path):
    """A name of 60 MB: tarfile would hold all of it before anyone could look at the entry."""
    archive = tmp_path / "a.tar.gz"
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 60 << 20
    with gzip.open(archive, "wb") as stream:
        stream.write(member.tobuf(tarfile.GNU_FORMAT))
        stream.write(b"a" * (60 << 20))
        stream.write(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DownloadError, match="header without end"):
        unpacked(archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_archives_cut_short_are_refused(tmp_path, kind, share):
    make = make_zip if kind == "zip" else make_tar
    archive = make(tmp_path / "a.bin", FILES)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DownloadError, match="damaged or cut short"):
        unpacked(archive)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_flipped_bits_are_noticed(tmp_path, kind):
    """Uncompressed content, so that only the checksum can tell."""
    content = bytes(range(256)) * 100
    archive = tmp_path / "a.bin"
    if kind == "zip":
        archive.write_bytes(zip_bytes({"scene/a.bin": content}))
    else:
        with tarfile.open(archive, "w:gz", compresslevel=0) as opened:
            member = tarfile.TarInfo("scene/a.bin")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    data = bytearray(archive.read_bytes())
    data[data.index(bytes(range(200, 256))) + 5] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="damaged or cut short"):
        unpacked(archive)


def test_encrypted_entries_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a.txt": b"secret"})
    data = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="encrypted"):
        unpacked(archive)


@pytest.mark.parametrize("content", [b"<html>404</html>", b"", b"P"])
def test_what_is_no_archive_is_named(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(DownloadError, match=r"neither a zip nor a tar\.gz"):
        unpacked(archive)


def test_two_entries_of_one_name_are_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr("a.txt", "1")
        opened.writestr("a.txt", "2")
    with pytest.raises(DownloadError, match="occurs twice"):
        unpacked(archive)


def test_a_full_disk_is_said_before_writing(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="choose another disk"):
        unpacked(make_zip(tmp_path / "a.zip", FILES))
    assert not list((tmp_path / "out").iterdir())
