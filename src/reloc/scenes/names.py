"""Names of frames: relative paths that stay inside the scene, compared without their suffix."""

import os.path
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

# Behind a byte that is no UTF-8 it is half of a letter, in code pages of Chinese and Japanese.
_BACKSLASH = re.compile("(?<![\udc80-\udcff])\\\\")


def inside(root: Path, name: str) -> str | None:
    """A path of a scene's file, relative to the scene's folder; None if it leads out of it.

    Compares words, not what links point to, so an ``images`` folder may be a link to another disk.
    """
    if "\0" in name:
        return None
    name = _BACKSLASH.sub("/", name)
    full = os.path.normpath(Path(os.path.abspath(root)) / name)  # noqa: PTH100
    try:
        relative = Path(full).relative_to(os.path.abspath(root)).as_posix()  # noqa: PTH100
    except ValueError:
        return None
    return None if relative == "." else relative


def without_suffix(name: str) -> str:
    """``seq-01/frame-000000.color.png`` -> ``seq-01/frame-000000.color``."""
    return PurePosixPath(name).with_suffix("").as_posix()


class NameIndex:
    """Finds a frame by the name that a list has for it.

    Lists often come from elsewhere: the suffix may differ (``.png`` for a ``.jpg``), and leading
    folders may be missing. The exact name wins, then the name without suffix, then the one frame
    whose path ends in the listed name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = set[str]()
        self._stems: dict[str, str] = {}
        self._tails: defaultdict[str, set[str]] = defaultdict(set)
        for name in names:
            self._exact.add(name)
            stem = without_suffix(name)
            self._stems.setdefault(stem, name)
            parts = stem.split("/")
            for start in range(1, len(parts)):
                self._tails["/".join(parts[start:])].add(name)

    def find(self, listed: str) -> str | None:
        """The frame's name, or None if no frame fits or several do."""
        if listed in self._exact:
            return listed
        stem = without_suffix(listed)
        if stem in self._stems:
            return self._stems[stem]
        tails = self._tails.get(stem, set())
        return next(iter(tails)) if len(tails) == 1 else None
