"""Opening a scene: finds the layout, reads it, lays lists over it, checks every frame."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from reloc.errors import PluginError, SceneError
from reloc.files import StrPath
from reloc.scenes import bags, colmap, sens_files
from reloc.scenes.checks import checked_scene
from reloc.scenes.lists import QUERY_LIST, find_list, with_poses, with_queries
from reloc.scenes.locate import find_folder
from reloc.scenes.masks import with_masks
from reloc.scenes.panoramas import cut_panoramas
from reloc.scenes.readers import READERS, ListReader, Reader, known_readers
from reloc.scenes.scene import Scene
from reloc.scenes.unpacking import archive_stem, inner_folders, is_archive, unpacked


class _Converter(Protocol):
    """A module that makes a folder, of a layout that is read, of a recording in one file."""

    LAYOUT: str

    def matches(self, path: Path) -> bool:
        """Whether a path is such a recording, or a folder of one."""
        ...

    def folder(self, path: Path) -> Path:
        """The folder, made now if it is not there. Raises SceneError."""
        ...


_CONVERTERS: tuple[_Converter, ...] = (bags, sens_files)


def open_scene(
    path: StrPath,
    *,
    query: StrPath | None = None,
    poses: StrPath | None = None,
    images: StrPath | None = None,
    masks: StrPath | None = None,
    layout: str | None = None,
) -> Scene:
    """Reads a scene of any known layout.

    Args:
        path: the scene's folder, or one of the COLMAP models in it, such as ``sparse/1``; or an
            archive of it (.zip, .r3d, .tar.gz), which is unpacked beside itself, as ``NAME.reloc``;
            or a recording of ROS (.bag, .mcap, .db3, or the folder of one) or of ScanNet (.sens),
            whose images are written likewise.
        query: one image path per line, relative to the scene's folder; listed images are queries,
            all others map. Without it ``query.txt`` of the scene's folder, if there is one, else
            the split that the format itself has.
        poses: a pose-set file, ``name qw qx qy qz tx ty tz [focal [confidence]]`` with
            camera-from-world, whose poses replace those of the scene. Both files are looked for as
            given, then below the scene's folder.
        images: the folder of the images, where it is not where the format has it; looked for as
            given, then below the scene's folder. For formats whose files name the images.
        masks: a folder of images called as the scene's (``a/1.jpg.png`` or ``a/1.png``), black
            where these are not to be mapped, in place of masks of the format; looked for as
            ``images``.
        layout: one of ``LAYOUTS`` or of a registered reader, where a folder fits several.

    Returns:
        The scene; frames that cannot be used are in ``skipped``, with the reason.

    Raises:
        SceneError: there is no such folder, no layout fits, files of the layout are damaged, or
            no frame is usable.
        CameraError: a file with the intrinsics of all frames is damaged.
        PluginError: the reader is that of another package, and failed.
    """
    root = Path(path)
    try:
        # Absurd numbers overflow to infinity, which the checks find; numpy need not warn of it.
        with np.errstate(over="ignore", invalid="ignore"):
            if is_archive(root):
                inner = _scene_in(unpacked(root), layout)
                scene = _opened(inner, query, poses, images, masks, layout)
                return replace(scene, name=archive_stem(root))
            if converter := _converter_of(root, layout):
                scene = _opened(converter.folder(root), query, poses, images, masks, None)
                return replace(scene, name=root.stem, layout=converter.LAYOUT)
            if not root.is_dir():
                file = "is a file; give the folder that holds it"
                raise SceneError(f"{root}: {file if root.exists() else 'no such folder'}")
            return _opened(root, query, poses, images, masks, layout)
    except OSError as error:
        raise SceneError(f"{root}: cannot be read ({error.strerror or error})") from error


def _converter_of(path: Path, layout: str | None) -> _Converter | None:
    """What makes a folder of a recording; None for other paths, and if another layout is asked for.

    Raises:
        SceneError: that layout is asked for, but the path is none.
    """
    for converter in _CONVERTERS:
        if layout in (None, converter.LAYOUT) and converter.matches(path):
            return converter
        if layout == converter.LAYOUT:
            raise SceneError(f"{path}: no recording of layout {layout}; give its file")
    return None


def _scene_in(folder: Path, layout: str | None) -> Path:
    """The folder that a reader knows, of those in which an archive has all that it holds."""
    folders = inner_folders(folder)
    readers, _ = known_readers()
    for inner in folders:
        if any(layout in (None, reader.LAYOUT) and reader.matches(inner) for reader in readers):
            return inner
    return folders[-1]


def _opened(
    path: Path,
    query: StrPath | None,
    poses: StrPath | None,
    images: StrPath | None,
    masks: StrPath | None,
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
    if masks is not None:
        raw = with_masks(raw, find_folder(root, masks))
    raw = cut_panoramas(raw, root)
    raw = replace(raw, notes=notes + raw.notes + raw.pose_notes)
    return checked_scene(raw, root=root, layout=reader.LAYOUT)


def _list_reader(root: Path, reader: Reader) -> ListReader:
    if isinstance(reader, ListReader):
        return reader
    raise SceneError(
        f"{root}: a scene of layout {reader.LAYOUT} has its images in folders of its own; leave "
        "out the folder of images"
    )


def _reader(root: Path, layout: str | None) -> tuple[Reader, tuple[str, ...]]:
    """The reader of a folder, and what a user should know of its choice."""
    readers, notes = known_readers()
    if layout is not None:
        named = [reader for reader in readers if layout == reader.LAYOUT]
        if not named:
            known = ", ".join(reader.LAYOUT for reader in readers)
            raise SceneError("; ".join([f"unknown layout {layout!r}; known are {known}", *notes]))
        if not named[0].matches(root):
            raise SceneError(f"{root}: no {layout} scene; looked for {named[0].LOOKS_FOR}")
        return named[0], ()
    fitting = []
    for reader in readers:
        try:
            if reader.matches(root):
                fitting.append(reader)
        except PluginError as error:
            notes.append(str(error))
    if not fitting:
        raise SceneError("; ".join([_nothing_fits(root, readers), *notes]))
    if len(fitting) > 1:
        others = ", ".join(reader.LAYOUT for reader in fitting[1:])
        notes.insert(0, f"read as {fitting[0].LAYOUT}; the folder also fits {others}")
    return fitting[0], tuple(notes)


def _nothing_fits(root: Path, readers: Sequence[Reader]) -> str:
    found = sorted(p.name + "/" * p.is_dir() for p in root.iterdir() if p.name[0] != ".")
    scenes = [
        f"{name} ({reader.LAYOUT})"
        for name in found[:50]
        for reader in READERS
        if name.endswith("/") and reader.matches(root / name)
    ]
    known = ", ".join([reader.LAYOUT for reader in readers] + [c.LAYOUT for c in _CONVERTERS])
    message = (
        f"{root}: no known scene layout; found {', '.join(found[:8]) or 'nothing'}"
        f"{' and more' if len(found) > 8 else ''}; known are {known}; how each is "
        "recognised stands in docs/scenes.md"
    )
    return message + f"; give one of its scenes: {', '.join(scenes[:5])}" if scenes else message
