"""Finds the image files that the lists of a scene name, also where they lie a little elsewhere."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from reloc.errors import SceneError
from reloc.files import StrPath
from reloc.images.files import IMAGE_SUFFIXES
from reloc.scenes.names import Tails, inside, is_absolute, without_suffix
from reloc.scenes.scene import Skipped
from reloc.scenes.text import image_files

_SMALLER = re.compile(r"images_(\d{1,4})")

# In the order in which they are tried.
_How = Literal["exact", "tail", "suffix", "smaller"]


@dataclass(frozen=True)
class Located:
    """Where an image of a list lies.

    Attributes:
        name: of the frame: the path below the scene's folder, or below a given image folder that
            lies elsewhere.
        path: the file, which may be missing.
        smaller: whether it is in a folder such as ``images_4``, of images made smaller.
    """

    name: str
    path: Path
    smaller: bool = False


def find_folder(root: StrPath, folder: StrPath) -> Path:
    """A folder of images as given, or else below the scene's folder.

    Raises:
        SceneError: it is in neither place.
    """
    for path in (Path(folder), Path(root, folder)):
        if path.is_dir():
            return path
    raise SceneError(f"{folder}: no such folder, neither as given nor below {root}; check the path")


class Locator:
    """Finds the files of the images that a scene lists.

    A file may have another suffix than its name in the list, or the name none, as long as no other
    file has its stem. Names that are absolute paths of another machine lose folders at their front
    until they fit; so do all names where a folder is given. Where there is no ``images``, one like
    ``images_4`` will do. What was found otherwise than as listed is counted for ``notes``.

    Args:
        root: the scene's folder.
        listed: all names.
        folders: where to look below the scene's folder; missing images are said to be missing from
            the first one.
        given: the folder where the user says that the images are; takes the place of ``folders``.
    """

    def __init__(
        self,
        root: Path,
        listed: Iterable[str],
        *,
        folders: Sequence[str] = ("",),
        given: Path | None = None,
    ) -> None:
        if given is None:
            self._folders = [(root / folder, folder) for folder in folders]
            self._smaller = smaller_folders(root)
        else:
            below = inside(root, os.path.abspath(given))  # noqa: PTH100
            self._folders = [(given, below or "")]
            self._smaller = []
        self._cut_all = given is not None
        listed = set(listed)
        # Two names of one stem are two images, so that neither may stand for the other.
        self._same_stem = Counter(map(_stem, listed))
        self._tails = Tails(name for name in listed if self._cut_all or is_absolute(name))
        self._stems: dict[Path, dict[str, list[str]]] = {}
        self._found = Counter[_How]()
        self._examples: dict[_How, tuple[str, str]] = {}

    def find(self, listed: str) -> Located | None:
        """Where an image lies, or should lie; None if its name leads out of the folder."""
        folder, prefix = self._folders[0]
        whole = inside(folder, listed)
        cut = is_absolute(listed) or self._cut_all
        tails = self._tails.of(listed) if cut else []
        alone = self._same_stem[_stem(listed)] <= 1
        for how, located in self._attempts(([whole] if whole else []) + tails, suffixes=alone):
            # An absolute path that leads to the scene is whole without its beginning.
            if how != "exact" and located.name != whole:
                self._found[how] += 1
                self._examples.setdefault(how, (listed, located.name))
            return located
        return _located(folder, prefix, whole) if whole else None

    def notes(self) -> tuple[str, ...]:
        """What was found otherwise than as listed, a line for each way."""
        lines = []
        for how, count in self._found.items():
            listed, name = self._examples[how]
            match how:
                case "tail":
                    text = "the list has another path, of which the end fits"
                case "suffix":
                    text = "the list has another suffix or none; the only file of that stem counts"
                case _:
                    text = "the image is one that was made smaller"
            lines.append(f"{count} frames: {text}, for instance {name} for {listed}")
        return tuple(lines)

    def _attempts(self, spellings: list[str], *, suffixes: bool) -> Iterator[tuple[_How, Located]]:
        """All files that may be meant, the likeliest first; of other suffixes if these may be."""
        for number, spelling in enumerate(spellings):
            for folder, prefix in self._folders:
                for name in _with_suffixes(spelling):
                    if (folder / name).is_file():
                        yield "tail" if number else "exact", _located(folder, prefix, name)
        for spelling in spellings if suffixes else []:
            for folder, prefix in self._folders:
                if similar := self._of_same_stem(folder, spelling):
                    yield "suffix", _located(folder, prefix, similar)
        for spelling in spellings:
            whole = _joined(self._folders[0][1], spelling)
            below = whole.removeprefix("images/")
            for folder in self._smaller if below != whole else []:
                names = (name for name in _with_suffixes(below) if (folder / name).is_file())
                found = next(names, None)
                if found is None and suffixes:
                    found = self._of_same_stem(folder, below)
                if found:
                    yield "smaller", replace(_located(folder, folder.name, found), smaller=True)

    def _of_same_stem(self, folder: Path, name: str) -> str | None:
        """The image whose name differs in its suffix alone; None if there is none or several.

        Where no other fits, a name may also differ in upper and lower case.
        """
        path = PurePosixPath(name)
        stems = [without_suffix(path.name)]
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            stems.insert(0, path.name)
        files = self._files_by_stem(folder / path.parent)
        for stem in (*stems, *(stem.casefold() for stem in stems)):
            if fitting := files.get(stem):
                return path.with_name(fitting[0]).as_posix() if len(fitting) == 1 else None
        return None

    def _files_by_stem(self, folder: Path) -> dict[str, list[str]]:
        """Names of the images in a folder by their stem, and by their stem in lower case."""
        if folder not in self._stems:
            stems = self._stems[folder] = {}
            for file in image_files(folder):
                for stem in {file.stem, file.stem.casefold()}:
                    stems.setdefault(stem, []).append(file.name)
        return self._stems[folder]


def leads_out(listed: str) -> Skipped:
    """The entry for an image whose name leads out of the scene's folder."""
    return Skipped(listed[:200], "its path leads out of the scene's folder")


def _stem(listed: str) -> str:
    return without_suffix(listed.replace("\\", "/"))


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _located(folder: Path, prefix: str, name: str) -> Located:
    return Located(_joined(prefix, name), folder / name)


def _with_suffixes(name: str) -> list[str]:
    """A name, and, if it has no suffix of an image, with each of these."""
    if name.lower().endswith(IMAGE_SUFFIXES):
        return [name]
    return [name, *(name + suffix for suffix in IMAGE_SUFFIXES)]


def smaller_folders(root: Path) -> list[Path]:
    """``images_2``, ``images_4`` ..., the largest images first."""
    found = [(int(m[1]), p) for p in root.glob("images_*") if (m := _SMALLER.fullmatch(p.name))]
    return [path for _, path in sorted(found)]
