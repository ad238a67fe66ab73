"""A library: maps, their index, and the few of them that are in memory."""

import re
import tempfile
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.errors import MapError, OptionError
from reloc.library.index import Entry, Hint, Index, check_position
from reloc.library.store import open_store
from reloc.maps import SceneMap

INDEX = "library.sqlite"
# Names, all views (V, D) bfloat16, their lengths (V,), and which name each is of (V,).
_Table = tuple[list[str], torch.Tensor, torch.Tensor, torch.Tensor]
_NAME = re.compile(r"[\w-][\w.-]{0,199}")


def is_library(location: str | Path) -> bool:
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

    def __init__(
        self, location: str | Path, *, create: bool = False, memory_gb: float = 2.0
    ) -> None:
        self.location = str(location)
        self._store = open_store(location)
        self._memory = memory_gb * 1e9
        self._lock = Lock()
        self._kept: OrderedDict[str, SceneMap] = OrderedDict()
        # What the maps look like, for all or for those of the latest hint.
        self._looks: dict[frozenset[str] | None, _Table] = {}
        if not self._store.exists(INDEX):
            if not create:
                raise MapError(
                    f"{location}: no library of maps; make one with `reloc library add {location} "
                    "MAP`"
                )
            with tempfile.TemporaryDirectory() as scratch:
                empty = Path(scratch) / INDEX
                Index(empty).entries()
                self._store.put(empty, INDEX)
        self._index = Index(self._store.local(INDEX, fresh=True))

    def add(
        self,
        path: Path,
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
            latitude: of the map's origin, in degrees.
            longitude: likewise.
            heading: of the map's y axis, in degrees clockwise from north.

        Raises:
            MapError: no map, or one for other features than those that are there.
            OptionError: a name that is no file name, or an impossible position.
        """
        name = path.stem if name is None else name
        if not _NAME.fullmatch(name):
            raise OptionError(f"{name!r}: a name has letters, digits, dots, dashes and underscores")
        if (latitude is None) != (longitude is None):
            raise OptionError("a position needs both latitude and longitude")
        if latitude is not None and longitude is not None:
            check_position(latitude, longitude)
        scene_map = SceneMap.load(path)
        for other in self.entries()[:1]:
            if (other.backbone, other.short_side) != (scene_map.backbone, scene_map.short_side):
                raise MapError(
                    f"{path}: made with another backbone or image size than the maps of "
                    f"{self.location}; one pass of the backbone has to serve all"
                )
        entry = Entry(
            name=name,
            place=place,
            bytes=path.stat().st_size,
            heads=len(scene_map.regions),
            extent=scene_map.extent,
            unit=scene_map.unit,
            backbone=scene_map.backbone,
            short_side=scene_map.short_side,
            latitude=latitude,
            longitude=longitude,
            heading=heading,
        )
        looks = [region.views for region in scene_map.regions if len(region.views)]
        # The map comes first: what the index names is always there.
        self._store.put(path, _file(name))
        self._index.put(entry, np.concatenate(looks) if looks else np.zeros((0, 0), np.int8))
        self._changed(name)
        return entry

    def remove(self, name: str) -> None:
        """Takes a map out of the library. Raises OptionError if there is none of the name."""
        if not self._index.remove(name):
            raise OptionError(f"{self.location}: has no map called {name!r}")
        self._changed(name)
        self._store.remove(_file(name))

    def entries(self, hint: Hint | None = None) -> list[Entry]:
        """Its maps by name, those that a hint allows."""
        return self._index.entries(hint)

    def load(self, name: str) -> SceneMap:
        """A map of the library, from memory if it was used lately. Raises MapError."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        if not _NAME.fullmatch(name):
            raise MapError(f"{self.location}: {name!r} is no name of a map")
        scene_map = SceneMap.load(self._store.local(_file(name)))
        with self._lock:
            self._kept[name] = scene_map
            while len(self._kept) > 1 and sum(map(_weight, self._kept.values())) > self._memory:
                self._kept.popitem(last=False)
        return scene_map

    def kept(self) -> set[str]:
        """Names of the maps in memory."""
        with self._lock:
            return set(self._kept)

    def similar(
        self, looks: NDArray[np.int8], *, count: int, among: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """Maps with the most similar views, the best first, with the cosine of the best view.

        Args:
            looks: (D,) descriptor of an image (``backbone.descriptor``).
            count: maps wanted.
            among: names to choose from; None for all.
        """
        key = None if among is None else frozenset(among)
        if key not in self._looks:
            self._looks = {key: _table(self._index.views(key))}
        names, views, lengths, owners = self._looks[key]
        if not names or views.shape[1] != len(looks):
            return []
        # Integers to 127 are exact in bfloat16, which takes half the memory of float32, and
        # reading memory is all that large tables take.
        query = torch.from_numpy(looks).to(views.dtype)
        cosines = (views @ query).float() / (lengths * query.float().norm() + 1e-6)
        best = torch.full((len(names),), -2.0).scatter_reduce(0, owners, cosines, "amax")
        order = best.argsort(descending=True)[:count].tolist()
        return [(names[i], float(best[i])) for i in order]

    def _changed(self, name: str) -> None:
        self._looks = {}
        self._kept.pop(name, None)
        self._store.put(self._index.path, INDEX)


def _table(views: dict[str, NDArray[np.int8]]) -> _Table:
    if not views:
        return [], torch.zeros(0, 0), torch.zeros(0), torch.zeros(0, dtype=torch.long)
    table = torch.from_numpy(np.concatenate(list(views.values())))
    owners = torch.repeat_interleave(torch.tensor([len(v) for v in views.values()]))
    lengths = [np.linalg.norm(v.astype(np.float32), axis=1) for v in views.values()]
    return list(views), table.to(torch.bfloat16), torch.from_numpy(np.concatenate(lengths)), owners


def _file(name: str) -> str:
    return f"{name}.safetensors"


def _weight(scene_map: SceneMap) -> int:
    """Bytes of a map in memory, about."""
    return sum(4 * p.numel() for region in scene_map.regions for p in region.head.parameters())
