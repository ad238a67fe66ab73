"""Readers of layouts: what a reader is, those of the package, and those of others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, cast, runtime_checkable

from reloc.errors import PluginError, RelocError
from reloc.plugins import Registry, one_line
from reloc.scenes import ace, cambridge, colmap, seven_scenes, transforms, tum, twelve_scenes
from reloc.scenes.layouts import (
    arkitscenes,
    bundler,
    euroc,
    kapture,
    lamar,
    metashape,
    opensfm,
    polycam,
    realitycapture,
    record3d,
    scancapture,
    scanner_app,
    scannet,
    scannetpp,
    stray,
)
from reloc.scenes.raw import RawScene


@runtime_checkable
class Reader(Protocol):
    """What reads scenes of a layout: a module, a class without arguments, or an instance of it.

    Attributes:
        LAYOUT: the name of the layout.
        LOOKS_FOR: the files by which it is recognised, for the message when nothing is.
    """

    LAYOUT: str
    LOOKS_FOR: str

    def matches(self, root: Path) -> bool:
        """Whether a folder looks like one of the layout."""
        ...

    def read(self, root: Path) -> RawScene:
        """The scene of a folder that matches. Raises SceneError if it cannot be read."""
        ...


@runtime_checkable
class ListReader(Reader, Protocol):
    """A reader of a layout whose files name the images, so that these may lie elsewhere.

    Attributes:
        NAMES_IMAGES: true; what tells such readers from others.
    """

    NAMES_IMAGES: bool

    def read(self, root: Path, *, images: Path | None = None) -> RawScene:
        """The scene of a folder that matches, whose images are in ``images`` if it is given."""
        ...


# A folder may hold several layouts, such as a COLMAP model beside the transforms.json made of it;
# the first in this order is read.
READERS: tuple[Reader, ...] = (
    ace,
    seven_scenes,
    twelve_scenes,
    cambridge,
    tum,
    transforms,
    stray,
    polycam,
    record3d,
    scanner_app,
    arkitscenes,
    scannetpp,
    scannet,
    kapture,
    lamar,
    scancapture,
    euroc,
    colmap,
    opensfm,
    metashape,
    realitycapture,
    bundler,
)
LAYOUTS: tuple[str, ...] = tuple(reader.LAYOUT for reader in READERS)

R = TypeVar("R", bound=Reader | type[Reader])


def _fault(name: str, item: object) -> str | None:
    wanted = ("LAYOUT", "LOOKS_FOR", "matches", "read")
    missing = [part for part in wanted if not hasattr(item, part)]
    if missing:
        return f"lacks {', '.join(missing)}"
    return None if getattr(item, "LAYOUT", None) == name else "its LAYOUT is another name"


_READERS: Registry[Reader | type[Reader]] = Registry(
    "reader",
    group="reloc.readers",
    own={reader.LAYOUT: reader for reader in READERS},
    fault=_fault,
)


def register_reader(reader: R) -> R:
    """Makes a layout known to ``open_scene`` and the command line; a decorator of a class.

    Folders that fit a layout of the package, too, are read as that unless ``layout`` is given. A
    package offers a reader by an entry point of the group ``reloc.readers`` instead, whose name is
    the ``LAYOUT``.

    Args:
        reader: a ``Reader`` or, for lists that name the images, a ``ListReader``: a class without
            arguments, an instance or a module.

    Raises:
        OptionError: it lacks something, or has the name of a layout of the package.
    """
    _READERS.add(getattr(reader, "LAYOUT", ""), reader)
    return reader


def known_readers() -> tuple[list[Reader], list[str]]:
    """All readers, those of the package first, and a line for each that cannot be loaded."""
    others, faults = _READERS.others()
    readers, notes = list(READERS), [str(fault) for fault in faults]
    for name, item in others.items():
        try:
            with _named(name):
                reader = item() if isinstance(item, type) else item
            kind = _ForeignListReader if isinstance(reader, ListReader) else _ForeignReader
            readers.append(kind(reader))
        except PluginError as error:
            notes.append(str(error))
    return readers, notes


class _ForeignReader:
    """A reader of others: what it raises that is no ``RelocError`` becomes a ``PluginError``."""

    def __init__(self, reader: Reader) -> None:
        self.LAYOUT, self.LOOKS_FOR = reader.LAYOUT, reader.LOOKS_FOR
        self._reader = reader

    def matches(self, root: Path) -> bool:
        """See ``Reader.matches``."""
        with _named(self.LAYOUT):
            return bool(self._reader.matches(root))

    def read(self, root: Path) -> RawScene:
        """See ``Reader.read``."""
        with _named(self.LAYOUT):
            return _scene(self._reader.read(root))


class _ForeignListReader(_ForeignReader):
    """Likewise of a ``ListReader``."""

    NAMES_IMAGES = True

    def read(self, root: Path, *, images: Path | None = None) -> RawScene:
        """See ``ListReader.read``."""
        with _named(self.LAYOUT):
            return _scene(cast(ListReader, self._reader).read(root, images=images))


def _scene(read: object) -> RawScene:
    if not isinstance(read, RawScene):
        raise TypeError(f"read() gave {type(read).__name__} and no RawScene")
    return read


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (RelocError, OSError):
        raise
    except Exception as error:  # whatever the code of others raises
        raise PluginError(
            f"reader {name!r} failed ({one_line(error)}); mend or uninstall what registers it"
        ) from error
