"""A library: maps, their index, and the few of them that are in memory."""

import math
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.errors import MapError, OptionError
from reloc.files import StrPath
from reloc.library.bucket import LOCK
from reloc.library.entry import (
    Entry,
    Hint,
    check_place,
    check_position,
    is_file,
    is_name,
    map_views,
)
from reloc.library.index import Change, Index
from reloc.library.repair import SECONDS_OF_WORK, Finding, repaired
from reloc.library.store import open_store
from reloc.maps import SceneMap

INDEX = "library.sqlite"
# Names, all views (V, D) bfloat16, their lengths (V,), and which name each is of (V,).
_Table = tuple[list[str], torch.Tensor, torch.Tensor, torch.Tensor]
_Key = tuple[str, str | None, int]


def is_library(location: StrPath) -> bool:
    """Whether a map argument names a library: a URL, or a folder with an index."""
    return "://" in str(location) or (Path(location) / INDEX).is_file()


class MapLibrary:
    """Maps in a folder or bucket. A map is read when it is asked for; the latest few are kept.

    Args:
        location: a folder, or a URL that fsspec understands (extra ``buckets``).
        create: make it if it is not there.
        memory_gb: memory for the weights of maps that are kept.

    Raises:
        MapError: there is no library, or its index is damaged.
        OptionError: the location needs something that is not installed.
    """

    def __init__(self, location: StrPath, *, create: bool = False, memory_gb: float = 2.0) -> None:
        self.location = str(location)
        self._store = open_store(location)
        self._memory = memory_gb * 1e9
        self._lock = Lock()
        # Which version of a map is kept, and the map.
        self._kept: OrderedDict[str, tuple[_Key, SceneMap]] = OrderedDict()
        # What the maps look like, for all or for those of the latest hint.
        self._looks: dict[tuple[frozenset[str] | None, int], _Table] = {}
        try:
            there = self._store.exists(INDEX)
        except Exception as error:  # every protocol has errors of its own
            raise MapError(f"{location}: cannot be reached ({error}); check the address") from error
        if not there and not create:
            raise MapError(
                f"{location}: no library of maps; make one with `reloc library add {location} MAP`"
            )
        if not there:
            with self._store.locked(), self._store.edited(INDEX) as empty:
                Index(empty).make()
        self._index = Index(self._store.local(INDEX, fresh=True))

    def add(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        place: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        heading: float | None = None,
    ) -> Entry:
        """Copies a map into the library, in place of one of the same name.

        Args:
            path: the map file.
            name: by default that of the file.
            place: where it belongs; any text.
            latitude: of the map's origin, in degrees; of a map that is aligned to the Earth by
                default that of its first region.
            longitude: likewise.
            heading: of the map's y axis, in degrees clockwise from north.

        Raises:
            MapError: no map, or one for other features than those that are there.
            OptionError: a name that is no file name, or an impossible position.
            OutputError: the library cannot be written to.
        """
        path = Path(path)
        name = path.stem if name is None else name
        if not is_name(name):
            raise OptionError(f"{name!r}: a name has letters, digits, dots, dashes and underscores")
        if (latitude is None) != (longitude is None):
            raise OptionError("a position needs both latitude and longitude")
        if latitude is not None and longitude is not None:
            check_position(latitude, longitude)
        if heading is not None and not math.isfinite(heading):
            raise OptionError("a heading is a number of degrees")
        if place is not None:
            check_place(place)
        self._store.check_writable()
        before = _state(path)
        scene_map = SceneMap.load(path)
        if scene_map.own_backbone is not None:
            raise MapError(
                f"{path}: has a backbone of its own, and one has to serve all maps of a library; "
                "localize with the map itself"
            )
        if latitude is None and scene_map.alignment is not None:
            here = scene_map.alignment.place(scene_map.origin)
            if here is not None:
                latitude, longitude = here.latitude, here.longitude
        try:
            views = map_views(scene_map)
        except ValueError as error:
            raise MapError(f"{path}: has {error}; make the map again") from error
        with self._store.staged(path) as copy:
            if _state(path) != before:
                raise MapError(f"{path}: was changed while it was read; add it again")
            entry = Entry(
                name=name,
                place=place,
                bytes=copy.bytes,
                heads=len(scene_map.regions),
                extent=scene_map.extent,
                unit=scene_map.unit,
                backbone=scene_map.backbone,
                short_side=scene_map.short_side,
                latitude=latitude,
                longitude=longitude,
                heading=heading,
                file=f"{name}@{copy.sha256[:16]}.safetensors",
                sha256=copy.sha256,
            )
            with self._changed(name, unless=path) as (change, unnamed):
                change.check_fits(entry, view_length=views.shape[1], source=path)
                unnamed += [entry.file, change.put(entry, views) or ""]
                # The file comes first: what the index names is always there.
                self._store.publish(copy, entry.file)
        return entry

    def remove(self, name: str) -> None:
        """Takes a map out of the library. Raises OptionError if there is none of the name."""
        with self._changed(name) as (change, unnamed):
            file = change.remove(name)
            if file is None:
                raise OptionError(f"{self.location}: has no map called {name!r}")
            unnamed.append(file)

    def entries(self, hint: Hint | None = None) -> list[Entry]:
        """Its maps by name, those that a hint allows."""
        return self._index.entries(hint)

    def entry(self, name: str) -> Entry | None:
        """The map of a name, None without one."""
        return self._index.entry(name)

    def load(self, name: str) -> SceneMap:
        """A map of the library, from memory if it was used lately. Raises MapError."""
        entry = self._entry(name)
        while True:
            try:
                return self._loaded(entry)
            except MapError:
                # Another process may have replaced the map since the index was read.
                self._store.local(INDEX, fresh=True)
                entry, before = self._entry(name), entry
                if entry == before:
                    raise

    def _entry(self, name: str) -> Entry:
        entry = self.entry(name)
        if entry is None:
            raise MapError(f"{self.location}: has no map called {name!r}")
        return entry

    def _loaded(self, entry: Entry) -> SceneMap:
        key = (entry.file, entry.sha256, entry.bytes)
        with self._lock:
            if entry.name in self._kept and self._kept[entry.name][0] == key:
                self._kept.move_to_end(entry.name)
                return self._kept[entry.name][1]
        scene_map = SceneMap.load(self._store.local(entry.file))
        with self._lock:
            self._kept[entry.name] = key, scene_map
            weights = [_weight(one) for _, one in self._kept.values()]
            while len(weights) > 1 and sum(weights) > self._memory:
                self._kept.popitem(last=False)
                del weights[0]
        return scene_map

    def kept(self) -> set[str]:
        """Names of the maps in memory."""
        with self._lock:
            return set(self._kept)

    def similar(
        self, descriptor: NDArray[np.int8], *, count: int, among: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """Maps with the most similar views, the best first, with the cosine of the best view.

        Args:
            descriptor: (D,) descriptor of an image (``backbone.descriptor``).
            count: maps wanted.
            among: names to choose from; None for all.
        """
        key = None if among is None else frozenset(among), len(descriptor)
        if key not in self._looks:
            views_of = self._index.views(key[0])
            # A descriptor of another length is one of another backbone, and compares with nothing.
            self._looks = {key: _table({n: v for n, v in views_of.items() if v.shape[1] == key[1]})}
        names, views, lengths, owners = self._looks[key]
        if not names:
            return []
        # Integers to 127 are exact in bfloat16, which takes half the memory of float32, and
        # reading memory is all that large tables take.
        query = torch.from_numpy(descriptor).to(views.dtype)
        cosines = (views @ query).float() / (lengths * query.float().norm() + 1e-6)
        best = torch.full((len(names),), -2.0).scatter_reduce(0, owners, cosines, "amax")
        order = best.argsort(descending=True)[:count].tolist()
        return [(names[i], float(best[i])) for i in order]

    def repair(self) -> list[Finding]:
        """Looks for what killed writers and other programs left behind, and mends what can be.

        Files without a map are removed if they are this library's and nobody can be at work on
        them any more. Maps whose file is gone or is another are told, and stay in the index.

        Raises:
            MapError: the index is damaged.
            OutputError: a file cannot be removed.
        """
        released = self._store.release(seconds=SECONDS_OF_WORK)
        with self._store.locked(), self._store.edited(INDEX) as path:
            found = repaired(self._store, Index(path))
        self._forget()
        return [Finding("lock", LOCK, "a lock that a killed writer left", True)] * released + found

    @contextmanager
    def _changed(
        self, name: str, *, unless: Path | None = None
    ) -> Iterator[tuple[Change, list[str]]]:
        """Yields what changes the index, and a list for files that may be nobody's afterwards.

        Those are removed when the block has ended, whether or not the change came to be, but for
        the file ``unless``.
        """
        unnamed: list[str] = []
        with self._store.locked():
            try:
                with self._store.edited(INDEX) as path, Index(path).changing() as change:
                    yield change, unnamed
            finally:
                self._forget(name)
                # What remains here a repair finds; the change is what it is without.
                with suppress(Exception):
                    self._remove(unnamed, unless)

    def _remove(self, files: Iterable[str], unless: Path | None) -> None:
        # Nobody else can name a file while this looks whether somebody does.
        with self._index.changing() as change:
            for file in filter(is_file, files):
                own = unless is not None and unless.resolve() == Path(self.location, file).resolve()
                if not own and not change.names(file):
                    self._store.remove(file)

    def _forget(self, name: str | None = None) -> None:
        self._looks = {}
        with self._lock:
            if name is None:
                self._kept.clear()
            else:
                self._kept.pop(name, None)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What is another for another content of a file."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _table(views: dict[str, NDArray[np.int8]]) -> _Table:
    if not views:
        return [], torch.zeros(0, 0), torch.zeros(0), torch.zeros(0, dtype=torch.long)
    table = torch.from_numpy(np.concatenate(list(views.values())))
    owners = torch.repeat_interleave(torch.tensor([len(v) for v in views.values()]))
    lengths = [np.linalg.norm(v.astype(np.float32), axis=1) for v in views.values()]
    return list(views), table.to(torch.bfloat16), torch.from_numpy(np.concatenate(lengths)), owners


def _weight(scene_map: SceneMap) -> int:
    """Bytes of a map in memory, about."""
    return sum(4 * p.numel() for region in scene_map.regions for p in region.head.parameters())
