"""What is wrong with a library: files that no map names, maps without their file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from reloc.errors import MapError, RelocError
from reloc.library.entry import OWN_FILE, Entry, map_views
from reloc.library.index import Index
from reloc.library.staging import size_and_digest
from reloc.library.store import Store
from reloc.maps import SceneMap

# Whoever wrote to a file this long ago is not at work on it any more.
SECONDS_OF_WORK = 3600.0
_UNFINISHED = re.compile(r"\.(reloc-|.+\.(safetensors|sqlite)\.)\w+\.part")


@dataclass(frozen=True)
class Finding:
    """Something that was wrong.

    Attributes:
        kind: a ``stray`` file, a map whose file is ``missing`` or ``another``, or a ``lock``.
        name: of the file or the map.
        text: what is wrong, and what there is to do.
        mended: whether nothing is left to do.
    """

    kind: Literal["stray", "missing", "another", "lock"]
    name: str
    text: str
    mended: bool


def repaired(store: Store, index: Index) -> list[Finding]:
    """Finds what is wrong and mends what can be; see ``MapLibrary.repair``."""
    entries = index.entries()
    found = [finding for entry in entries if (finding := _checked(store, index, entry))]
    # Whoever puts a file in its place holds the index until it is named.
    with index.changing() as change:
        for name, seconds in sorted(store.files().items()):
            ours = OWN_FILE.fullmatch(name) or _UNFINISHED.fullmatch(name)
            if change.names(name) or not (ours or name.endswith(".safetensors")):
                continue
            mended = bool(ours) and seconds > SECONDS_OF_WORK
            if mended:
                store.remove(name)
            found.append(Finding("stray", name, _why(bool(ours), mended), mended))
    return found


def _why(ours: bool, mended: bool) -> str:
    if mended:
        return "no map's; removed"
    if ours:
        return "no map's, but somebody may be at work on it; repair again in an hour"
    return "no map's, and not from this version; add it to the library or remove it"


def _checked(store: Store, index: Index, entry: Entry) -> Finding | None:
    """What is wrong with a map of the library, None if nothing is."""
    again = f"add it again, or see `reloc library remove`; its file is {entry.file}"
    try:
        path = store.local(entry.file, fresh=True)
        size, sha256 = size_and_digest(path)
    except (RelocError, OSError):
        now = index.entry(entry.name)
        if now is None or now.file != entry.file:
            return None  # somebody removed or replaced it meanwhile
        return Finding("missing", entry.name, f"its file is missing; {again}", False)
    if entry.sha256 is None:
        right = size == entry.bytes and _describes(index, entry, path)
        if right:
            with index.changing() as change:
                change.note_digest(entry, sha256)
    else:
        right = (size, sha256) == (entry.bytes, entry.sha256)
    if right:
        return None
    return Finding("another", entry.name, f"its file is damaged or another map's; {again}", False)


def _describes(index: Index, entry: Entry, path: Path) -> bool:
    """Whether an entry without a digest is of the map in a file."""
    try:
        scene_map = SceneMap.load(path)
        views = map_views(scene_map)
    except (MapError, ValueError):
        return False
    held = index.views([entry.name]).get(entry.name, np.zeros((0, 0), np.int8))
    return np.array_equal(views, held) and (
        entry.heads == len(scene_map.regions)
        and entry.extent == scene_map.extent
        and (entry.unit, entry.backbone) == (scene_map.unit, scene_map.backbone)
    )
