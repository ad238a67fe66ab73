"""Plain names for files whose own names libraries written in other languages cannot open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reloc.temporary import temporary_folder


@contextmanager
def ascii_name(path: Path) -> Iterator[str]:
    """Yields a name of plain letters that leads to a file, which need not exist yet.

    OpenCV and safetensors take names in UTF-8 alone. OpenCV also reads ``%04d`` in one as a number
    to count up, and ``concat:`` before one as a command. A name that has none of this is yielded as
    it is, absolute; any other through a link in a temporary folder.

    Args:
        path: of the file; its suffix is kept.

    Raises:
        OSError: the link cannot be made.
    """
    whole = str(path.absolute())
    if whole.isascii() and whole.isprintable() and "%" not in whole:
        yield whole
        return
    suffix = path.suffix if path.suffix.isascii() and "%" not in path.suffix else ""
    with temporary_folder() as folder:
        link = folder / f"file{suffix}"
        link.symlink_to(whole)
        yield str(link)
