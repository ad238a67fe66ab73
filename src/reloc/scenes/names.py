"""Names of frames: relative paths that stay inside the scene, compared without their suffix."""

import os.path
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = re.compile(r"(?<=[^/])\.[A-Za-z][A-Za-z0-9]{1,3}$")

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


def is_absolute(name: str) -> bool:
    r"""Whether a name starts at the root of some machine: ``/data/a.jpg``, ``C:\data\a.jpg``."""
    return name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", name) is not None


class Tails:
    """The ends of listed paths, which may name files here though the beginnings do not.

    An end that two of the names have is none, so that two never become one.

    Args:
        names: all of the list that may lose their beginnings.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._counts = Counter(end for name in set(names) for end in _ends(name))

    def of(self, name: str) -> list[str]:
        """The ends of a name, longest first."""
        return [end for end in _ends(name) if self._counts[end] == 1]


def _ends(name: str) -> list[str]:
    parts = _parts(name)
    return ["/".join(parts[cut:]) for cut in range(len(parts))]


def _parts(name: str) -> list[str]:
    """The words of a path, without what only says where it begins."""
    path = os.path.normpath(re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/")))
    return [part for part in path.split("/") if part not in ("", ".", "..")]


def without_suffix(name: str) -> str:
    """``seq-01/frame-000000.color.png`` -> ``seq-01/frame-000000.color``.

    Numbers after a dot are no suffix: ``frame.0001`` and ``frame.0002`` are two names.
    """
    return _SUFFIX.sub("", name)


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
