"""Captures as they leave a phone: an archive, which is unpacked beside itself once."""

from pathlib import Path

from reloc.errors import DownloadError, SceneError
from reloc.scenes.archives import unpack
from reloc.scenes.derived import derived_folder

SUFFIXES = (".zip", ".r3d", ".tar.gz", ".tgz")


def is_archive(path: Path) -> bool:
    """Whether a path is that of a file which is named as an archive."""
    return path.name.lower().endswith(SUFFIXES) and path.is_file()


def unpacked(archive: Path) -> Path:
    """The folder of what an archive holds.

    Raises:
        SceneError: the archive is damaged, or has entries that lead out of the folder, are links
            or far too large; see ``archives.unpack``.
    """

    def fill(folder: Path) -> None:
        unpack(archive, folder)

    try:
        return derived_folder(archive, fill)
    except DownloadError as error:
        raise SceneError(str(error).replace("fetch it again", "copy or export it again")) from error


def archive_stem(archive: Path) -> str:
    """The name of an archive without the suffix."""
    lower = archive.name.lower()
    suffix = next(suffix for suffix in SUFFIXES if lower.endswith(suffix))
    return archive.name[: -len(suffix)]


def inner_folders(root: Path) -> list[Path]:
    """The folder, and the folders in it that hold all the rest, as archives often have one."""
    folders = [root]
    while len(folders) < 8:
        inside = [
            path
            for path in folders[-1].iterdir()
            if path.name[0] != "." and path.name != "__MACOSX"
        ]
        if len(inside) != 1 or not inside[0].is_dir():
            break
        folders.append(inside[0])
    return folders
