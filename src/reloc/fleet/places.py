"""Scenes and maps wherever they lie: local paths, or URLs that fsspec reaches."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reloc.errors import SceneError
from reloc.library.bucket import open_filesystem
from reloc.library.store import open_store
from reloc.maps import SceneMap
from reloc.scenes.fetch import MAX_BYTES
from reloc.scenes.names import inside
from reloc.temporary import temporary_folder


def parted(location: str) -> tuple[str, str]:
    """Folder and name of a file, given by path or URL."""
    if "://" in location:
        folder, _, name = location.rpartition("/")
        return folder, name
    return str(Path(location).parent), Path(location).name


def present(locations: Iterable[str]) -> set[str]:
    """Those files that are there. A folder is listed once, however many of its files are asked for.

    Raises:
        OptionError: fsspec, or what it needs for the protocol, is not installed.
    """
    by_folder: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for location in locations:
        folder, name = parted(location)
        by_folder[folder][name] = location
    return {
        wanted[name]
        for folder, wanted in by_folder.items()
        for name in _names(folder)
        if name in wanted
    }


def stored_map(location: str) -> SceneMap:
    """A map by path or URL. Raises MapError if it cannot be read."""
    folder, name = parted(location)
    return SceneMap.load(open_store(folder).local(name))


def _names(folder: str) -> list[str]:
    try:
        if "://" not in folder:
            return [path.name for path in Path(folder).iterdir()]
        files, root = open_filesystem(folder)
        return [path.rpartition("/")[2] for path in files.ls(root, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextmanager
def local_scene(location: str) -> Iterator[Path]:
    """Yields the local folder of a scene: its own, or a copy that is gone afterwards.

    Raises:
        OptionError: fsspec, or what it needs for the protocol, is not installed.
        SceneError: there is no such folder, it is too large, or a name leads out of it.
    """
    if "://" not in location:
        yield Path(location)
        return
    files, root = open_filesystem(location)
    root = root.rstrip("/")
    sizes = {path: entry["size"] or 0 for path, entry in files.find(root, detail=True).items()}
    if not sizes:
        raise SceneError(f"{location}: no such folder, or an empty one; check the manifest")
    if sum(sizes.values()) > MAX_BYTES:
        raise SceneError(f"{location}: over {MAX_BYTES >> 30} GiB, too large to be one scene")
    with temporary_folder() as scratch:
        # Maps remember the scene's name, which is that of its folder.
        target = scratch / (root.rpartition("/")[2] or "scene")
        names = [inside(target, path[len(root) + 1 :]) for path in sizes]
        if None in names:
            raise SceneError(f"{location}: holds names that lead out of the folder; rename them")
        for folder in {(target / str(name)).parent for name in names}:
            folder.mkdir(parents=True, exist_ok=True)
        files.get(list(sizes), [str(target / str(name)) for name in names])
        yield target
