"""What is made of a capture before it can be read: an unpacked archive, frames of a video.

It lies beside the file that it was made of, as ``NAME.reloc``, and is made again only when that
file has changed. Where nothing can be written it lives as long as the process.
"""

import atexit
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from reloc.errors import OutputError, SceneError
from reloc.files import atomic_folder
from reloc.temporary import temporary_folder

SUFFIX = ".reloc"
_STAMP = ".made_of.json"
_VERSION = 1

_until_the_end = ExitStack()
atexit.register(_until_the_end.close)
_of_this_process: dict[tuple[str, str], Path] = {}


def derived_folder(
    source: Path, make: Callable[[Path], None], *, sources: Sequence[Path] | None = None
) -> Path:
    """The folder of what was made of a file, made now if it is not there or older than the file.

    Args:
        source: the file, which gives the folder its name and place.
        make: fills an empty folder.
        sources: what it is made of, if that is not ``source`` alone.

    Raises:
        SceneError: something else has the name of the folder.
        Whatever ``make`` raises.
    """
    folder = source.with_name(source.name + SUFFIX)
    stamp = _stamp([source] if sources is None else sources)
    if _stored(folder) == stamp:
        return folder
    if folder.exists():
        if not (folder / _STAMP).is_file():
            raise SceneError(
                f"{folder}: is in the way of what is made of {source.name}; move or rename it"
            )
        shutil.rmtree(folder, ignore_errors=True)
    known = _of_this_process.get((str(folder.absolute()), stamp))
    if known is not None and known.is_dir():
        return known

    def filled(target: Path) -> None:
        make(target)
        (target / _STAMP).write_text(stamp, encoding="utf-8")

    if _writable(folder.parent):
        try:
            with atomic_folder(folder) as target:
                filled(target)
        except OutputError:
            if _stored(folder) != stamp:  # another process may have been faster
                raise
        return folder
    temporary = _until_the_end.enter_context(temporary_folder())
    filled(temporary)
    _of_this_process[str(folder.absolute()), stamp] = temporary
    return temporary


def _stamp(sources: Sequence[Path]) -> str:
    found = [(source.name, source.stat()) for source in sources]
    files = [[name, status.st_size, status.st_mtime_ns] for name, status in found]
    return json.dumps({"files": files, "version": _VERSION})


def _stored(folder: Path) -> str | None:
    try:
        return (folder / _STAMP).read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None


def _writable(folder: Path) -> bool:
    try:
        with temporary_folder(folder):
            return True
    except OSError:
        return False
