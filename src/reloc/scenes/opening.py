"""Opening a scene: finds the layout, reads it, lays lists over it, checks every frame."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from reloc.errors import SceneError
from reloc.files import StrPath
from reloc.scenes import ace, cambridge, colmap, seven_scenes, transforms, tum, twelve_scenes
from reloc.scenes.checks import checked_scene
from reloc.scenes.lists import QUERY_LIST, find_list, with_poses, with_queries
from reloc.scenes.locate import find_folder
from reloc.scenes.raw import RawScene
from reloc.scenes.scene import Scene


class Reader(Protocol):
    """What the module of a format offers.

    Attributes:
        LAYOUT: the name of the format.
        LOOKS_FOR: the files by which it is recognised, for the message when nothing is.
    """

    LAYOUT: str
    LOOKS_FOR: str

    def matches(self, root: Path) -> bool:
        """Whether a folder looks like one of the format."""
        ...

    def read(self, root: Path) -> RawScene:
        """The scene of a folder that matches. Raises SceneError if it cannot be read."""
        ...


class ListReader(Reader, Protocol):
    """What the module of a format offers whose files name the images."""

    def read(self, root: Path, *, images: Path | None = None) -> RawScene:
        """The scene of a folder that matches, whose images are in ``images`` if it is given."""
        ...


# A folder may hold several layouts, such as a COLMAP model beside the transforms.json made of it;
# the first in this order is read.
_LIST_READERS: tuple[ListReader, ...] = (cambridge, tum, transforms, colmap)
READERS: tuple[Reader, ...] = (ace, seven_scenes, twelve_scenes, *_LIST_READERS)

LAYOUTS: tuple[str, ...] = tuple(reader.LAYOUT for reader in READERS)


def open_scene(
    path: StrPath,
    *,
    query: StrPath | None = None,
    poses: StrPath | None = None,
    images: StrPath | None = None,
    layout: str | None = None,
) -> Scene:
    """Reads a scene of any known layout.

    Args:
        path: the scene's folder, or one of the COLMAP models in it, such as ``sparse/1``.
        query: one image path per line, relative to the scene's folder; listed images are queries,
            all others map. Without it ``query.txt`` of the scene's folder, if there is one, else
            the split that the format itself has.
        poses: a pose-set file, ``name qw qx qy qz tx ty tz [focal [confidence]]`` with
            camera-from-world, whose poses replace those of the scene. Both files are looked for as
            given, then below the scene's folder.
        images: the folder of the images, where it is not where the format has it; looked for as
            given, then below the scene's folder. For formats whose files name the images.
        layout: one of ``LAYOUTS``, where a folder fits several.

    Returns:
        The scene; frames that cannot be used are in ``skipped``, with the reason.

    Raises:
        SceneError: there is no such folder, no layout fits, files of the layout are damaged, or
            no frame is usable.
        CameraError: a file with the intrinsics of all frames is damaged.
    """
    root = Path(path)
    if not root.is_dir():
        what = "is a file; give the folder that holds it" if root.exists() else "no such folder"
        raise SceneError(f"{root}: {what}")
    try:
        # Absurd numbers overflow to infinity, which the checks find; numpy need not warn of it.
        with np.errstate(over="ignore", invalid="ignore"):
            return _opened(root, query, poses, images, layout)
    except OSError as error:
        raise SceneError(f"{root}: cannot be read ({error.strerror or error})") from error


def _opened(
    path: Path,
    query: StrPath | None,
    poses: StrPath | None,
    images: StrPath | None,
    layout: str | None,
) -> Scene:
    root, model = colmap.scene_of(path) if layout in (None, colmap.LAYOUT) else (path, None)
    given = None if images is None else find_folder(root, images)
    reader: Reader = colmap
    notes: tuple[str, ...] = ()
    if model is not None:
        raw = colmap.read(root, images=given, model=model)
    else:
        reader, notes = _reader(root, layout)
        raw = (
            reader.read(root)
            if given is None
            else _list_reader(root, reader).read(root, images=given)
        )
    if poses is not None:
        raw = with_poses(raw, root, find_list(root, poses))
    if query is not None:
        raw = with_queries(raw, root, find_list(root, query))
    elif (root / QUERY_LIST).is_file():
        raw = with_queries(raw, root, root / QUERY_LIST)
        notes += (f"queries are those of {QUERY_LIST} in the scene's folder",)
    raw = replace(raw, notes=notes + raw.notes + raw.pose_notes)
    return checked_scene(raw, root=root, layout=reader.LAYOUT)


def _list_reader(root: Path, reader: Reader) -> ListReader:
    for list_reader in _LIST_READERS:
        if list_reader.LAYOUT == reader.LAYOUT:
            return list_reader
    raise SceneError(
        f"{root}: a scene of layout {reader.LAYOUT} has its images in folders of its own; leave "
        "out the folder of images"
    )


def _reader(root: Path, layout: str | None) -> tuple[Reader, tuple[str, ...]]:
    if layout is not None:
        named = [reader for reader in READERS if layout == reader.LAYOUT]
        if not named:
            raise SceneError(f"unknown layout {layout!r}; known are {', '.join(LAYOUTS)}")
        if not named[0].matches(root):
            raise SceneError(f"{root}: no {layout} scene; looked for {named[0].LOOKS_FOR}")
        return named[0], ()
    fitting = [reader for reader in READERS if reader.matches(root)]
    if not fitting:
        raise SceneError(_nothing_fits(root))
    others = ", ".join(reader.LAYOUT for reader in fitting[1:])
    note = f"read as {fitting[0].LAYOUT}; the folder also fits {others}"
    return fitting[0], (note,) if others else ()


def _nothing_fits(root: Path) -> str:
    found = sorted(p.name + "/" * p.is_dir() for p in root.iterdir() if p.name[0] != ".")
    scenes = [
        f"{name} ({reader.LAYOUT})"
        for name in found[:50]
        for reader in READERS
        if name.endswith("/") and reader.matches(root / name)
    ]
    looked = "; ".join(f"{reader.LAYOUT}: {reader.LOOKS_FOR}" for reader in READERS)
    message = (
        f"{root}: no known scene layout; found {', '.join(found[:8]) or 'nothing'}"
        f"{' and more' if len(found) > 8 else ''}; looked for {looked}"
    )
    return message + f"; give one of its scenes: {', '.join(scenes[:5])}" if scenes else message
