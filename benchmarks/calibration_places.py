"""Places to calibrate confidence on, and maps of them from good to hardly made.

Real scenes are those of a folder. Rooms are rendered: some from a seed of their own each, and those
of a campus, which are fitted out alike, so that photos of one are hard negatives of the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from accuracy import opened

from reloc.landmarks.building import LandmarkOptions
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import MappingOptions
from reloc.methods.dispatch import map_scene
from reloc.methods.ridge.options import DRAFT
from reloc.progress import Progress
from reloc.scenes import Scene
from reloc.synthetic import write_campus, write_synthetic_scene

REAL = ("desk_gum", "fox", "hololens", "monument", "office", "redkitchen")
# Of rendered rooms: no backbone has learned from these.
FIRST_SEED = 7000
FRAMES, QUERIES = 48, 32
SIZE = (320, 240)
# Half of the usual, so that maps are made and queries localized in a third of the time.
SHORT_SIDE = 240
# Of a training to its end, and of one that was cut short.
STEPS, CUT_SHORT = 600, 60
FEW_LANDMARKS = 150


@dataclass(frozen=True)
class Place:
    """One place that was photographed twice.

    Attributes:
        name: of the place.
        group: of the places that are held out together: rooms of a campus look alike.
        open: its frames.
    """

    name: str
    group: str
    open: Callable[[], Scene]


def places(
    out: Path, scenes: Path | None, *, rooms: int, campus: int, progress: Progress
) -> Iterator[Place]:
    """All places; rooms are rendered unless they are there.

    Args:
        out: folder for what is rendered.
        scenes: folder of the real scenes, None to go without.
        rooms: how many with a seed of their own.
        campus: how many of one campus.
        progress: told of frames that are rendered.
    """
    rendered = partial(
        _rendered, mapping=FRAMES, queries=QUERIES, width=SIZE[0], height=SIZE[1], depth=False
    )
    for name in REAL:
        if scenes is not None and (scenes / name).is_dir():
            yield Place(name, name, partial(opened, name, scenes))
    for number in range(rooms):
        name = f"room-{number:02d}"
        write = partial(write_synthetic_scene, seed=FIRST_SEED + number, progress=progress)
        yield Place(name, name, partial(rendered, out / "rooms" / name, write))
    write_all = partial(write_campus, rooms=campus, seed=FIRST_SEED, progress=progress)
    whole = partial(rendered, out / f"campus-{campus}", write_all)
    for number in range(campus):
        yield Place(f"campus-{number:02d}", "campus", partial(_part, whole, f"room-{number:03d}-"))


def _rendered(folder: Path, write: Callable[..., Scene], **options: object) -> Scene:
    if not folder.exists():
        write(folder, **options)
    return opened(folder.name, folder.parent)


def _part(whole: Callable[[], Scene], prefix: str) -> Scene:
    """The frames of a scene whose files' names begin so."""
    scene = whole()
    mapping, queries = (
        tuple(f for f in frames if f.image.name.startswith(prefix))
        for frames in (scene.mapping, scene.queries)
    )
    return replace(scene, mapping=mapping, queries=queries)


class Maps:
    """Maps of a place, by how they were made; each is made but once.

    Args:
        place: what to map.
        folder: for the maps.
        given: folder of maps that were made before, by names that begin with that of the place.
    """

    def __init__(self, place: Place, folder: Path, *, given: Path | None) -> None:
        self._place, self._folder, self._given = place, folder, given

    def of_kind(self, kind: str) -> dict[str, SceneMap]:
        """Maps by their names: those of one way of making them, without landmarks too.

        Args:
            kind: ``draft``, ``half``, ``trained``, ``cut`` or ``given``.
        """
        if kind == "given":
            made = {
                path.stem.split("-", 1)[1]: SceneMap.load(path)
                for path in sorted(
                    (self._given or self._folder).glob(f"{self._place.name}-[0-9]*s-0.*")
                )
            }
            return made | {f"{n}, heads": replace(m, landmarks=None) for n, m in made.items()}
        if kind == "half":
            # The first half of a walk saw half of the place.
            scene = self._place.open()
            half = replace(scene, mapping=scene.mapping[: len(scene.mapping) // 2])
            return {"half": self._made("half", partial(_draft, half))}
        draft = self._made("draft", lambda: _draft(self._place.open()))
        if kind == "draft":
            few = _with_few_landmarks(draft)
            return {
                "draft": draft,
                "draft, heads": replace(draft, landmarks=None),
                **({} if few is None else {"draft, few landmarks": few}),
            }
        steps = STEPS if kind == "trained" else CUT_SHORT
        heads = self._made(kind, lambda: _trained(self._place.open(), steps))
        return {kind: replace(heads, landmarks=draft.landmarks), f"{kind}, heads": heads}

    def _made(self, name: str, make: Callable[[], SceneMap]) -> SceneMap:
        path = self._folder / f"{self._place.name}--{name}.safetensors"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            make().save(path)
        return SceneMap.load(path)


def _draft(scene: Scene) -> SceneMap:
    return map_scene(scene, options=replace(DRAFT, short_side=SHORT_SIDE)).scene_map


def _trained(scene: Scene, steps: int) -> SceneMap:
    options = MappingOptions(steps=steps, views=600, heads=1, short_side=SHORT_SIDE)
    return map_scene(scene, options=options, landmarks=LandmarkOptions(count=0)).scene_map


def _with_few_landmarks(scene_map: SceneMap) -> SceneMap | None:
    known = scene_map.landmarks
    if known is None or len(known) < 2 * FEW_LANDMARKS:
        return None
    rows = np.linspace(0, len(known) - 1, FEW_LANDMARKS).astype(np.int64)
    return replace(scene_map, landmarks=known.subset(rows))
