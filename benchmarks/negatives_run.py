"""How often maps believe hard negatives: false accepts by kind, with their upper bounds.

    python benchmarks/negatives_run.py --out OUT --count 200
    python benchmarks/negatives_run.py --out OUT --count 200 --scenes SCENES --maps MAPS

Rooms are rendered into OUT/rooms when they are needed first, and mapped into OUT/maps: whole,
stopped early, from one half of the room, and a room that looks the same from both ends. Maps of
real scenes, MAPS/<scene>-*.safetensors, are asked the kinds that need no map of their own. Each
answer is one line of OUT/negatives.jsonl; the same command goes on where it stopped, and ends with
the table, which is OUT/negatives.md as well.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import tyro
from accuracy import opened
from negatives import KINDS, Photos, Sample, possible_kinds, sample

from reloc.cli.console import progress_bar
from reloc.errors import OptionError, RelocError
from reloc.files import atomic_folder, json_text, write_text
from reloc.geometry import pose_error
from reloc.localize import Localizer, Query
from reloc.localize.estimate import Estimate
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import MappingOptions
from reloc.methods.dispatch import map_scene
from reloc.sampling import evenly
from reloc.scenes import Frame, Scene, posed
from reloc.scenes.opening import open_scene
from reloc.synthetic.campus import ROOM
from reloc.synthetic.paths import walk
from reloc.synthetic.rearrange import rearranged, symmetric
from reloc.synthetic.rooms import make_room
from reloc.synthetic.scene import PARTS, photographed, scene_camera
from reloc.synthetic.styles import in_style
from reloc.synthetic.world import World

Row = dict[str, Any]
Made = Literal["whole", "early", "half", "symmetric", "given"]
# Beside `right` a pose has to be this near the truth, in metres or, elsewhere, of the extent.
METRES, OF_EXTENT, DEGREES = 0.25, 0.03, 5.0
SIZE = (320, 240)
STYLES = 2
ROUND = 25
OF_SCENE = 60
SYMMETRIC: Literal["symmetric"] = "symmetric"


@dataclass(frozen=True)
class Options:
    """What to ask.

    Attributes:
        out: folder for rooms, maps, answers and the table.
        count: pictures of each kind that each map is asked about.
        rooms: to render, in two styles; none to ask the given maps alone.
        frames: mapping frames of each.
        steps: of training a map; a tenth of them for one that is stopped early.
        scenes: folder of real scenes, named as for ``accuracy.py``.
        maps: folder of maps of them, ``<scene>-*.safetensors``.
        kinds: to ask about; by default all.
    """

    out: Path = Path("benchmark-results")
    count: int = 200
    rooms: int = 4
    frames: int = 80
    steps: int = 400
    scenes: Path | None = None
    maps: Path | None = None
    kinds: tuple[str, ...] = tuple(KINDS)

    def __post_init__(self) -> None:
        if unknown := set(self.kinds) - set(KINDS):
            raise OptionError(
                f"no such kind: {', '.join(sorted(unknown))}; known are {', '.join(KINDS)}"
            )
        if (self.scenes is None) != (self.maps is None):
            raise OptionError("give --scenes and --maps together")


@dataclass(frozen=True)
class Asked:
    """A map and what it is asked about.

    Attributes:
        name: of the map.
        made: how.
        path: of the file.
        photos: that negatives are made of.
        bound: of the translation of a right pose, in the unit of the map.
    """

    name: str
    made: Made
    path: Path
    photos: Photos
    bound: float


def world_of(name: str) -> World:
    """A rendered room by its name, ``STYLE-NUMBER``, which may begin with ``symmetric-``."""
    style, number = (int(part) for part in name.removeprefix(f"{SYMMETRIC}-").split("-"))
    for attempt in range(20):
        seed = crc32(f"{style} {number} {attempt}".encode())
        world = in_style(make_room(seed, size=ROOM, doors=[(2, 2.0)], windows=[0]), style)
        world = symmetric(world) if name.startswith(SYMMETRIC) else world
        try:
            walk(world, seed=0, count=1), walk(rearranged(world), seed=1, count=1)
        except RelocError:
            continue
        return world
    raise OptionError(f"no room {name} has space for a camera")


def room_scene(folder: Path, name: str, *, frames: int) -> Scene:
    """A room, rendered unless it is there; queries named ``moved-`` are of it rearranged."""
    if not folder.exists():
        world, camera = world_of(name), scene_camera(*SIZE)
        train, test = PARTS
        walks = {train: walk(world, seed=0, count=frames), test: walk(world, seed=1, count=40)}
        with atomic_folder(folder) as temporary:
            rng = np.random.default_rng([world.seed, 1])
            for photo in photographed(world, camera, walks, rng=rng, device="cpu", prefix="own-"):
                photo.write(temporary, folder, depth=False)
            for turn in () if name.startswith(SYMMETRIC) else (0, 1):
                moved = rearranged(world, seed=turn)
                walks = {test: walk(moved, seed=2, count=25)}
                prefix = f"moved-{turn}-"
                for photo in photographed(
                    moved, camera, walks, rng=rng, device="cpu", prefix=prefix
                ):
                    photo.write(temporary, folder, depth=False)
    return replace(open_scene(folder), unit="metre")


def rendered(options: Options) -> Iterator[Asked]:
    """The rooms with their maps, made unless they are there."""
    names = [f"{n % STYLES}-{n // STYLES}" for n in range(options.rooms)]
    scenes = {}
    for name in [*names, *([f"{SYMMETRIC}-0-0", f"{SYMMETRIC}-1-0"] if names else ())]:
        print(f"room {name}", file=sys.stderr, flush=True)
        scenes[name] = room_scene(options.out / "rooms" / name, name, frames=options.frames)
    for number, (name, scene) in enumerate(scenes.items()):
        own = [f for f in scene.queries if "/own-" in f.name]
        others = {other: s for other, s in scenes.items() if other in names and other != name}
        style = name.removeprefix(f"{SYMMETRIC}-").split("-")[0]
        photos = Photos(
            own=own,
            rearranged=[f for f in scene.queries if "/moved-" in f.name],
            siblings=[f for o, s in others.items() if o.startswith(style) for f in s.queries],
            elsewhere=[f for o, s in others.items() if not o.startswith(style) for f in s.queries],
        )
        if name.startswith(SYMMETRIC):
            yield _made(name, SYMMETRIC, scene, Photos(own=own), options)
            continue
        yield _made(name, "whole", scene, photos, options)
        if number < 2:
            yield _made(name, "early", scene, photos, options)
        if number in (2, 3):
            halves, beyond = _halved(scene)
            inside = [f for f in own if f not in beyond]
            yield _made(name, "half", halves, Photos(own=inside, beyond=beyond), options)


def _halved(scene: Scene) -> tuple[Scene, list[Frame]]:
    """The scene with the mapping frames of one half, and the queries of the other."""
    centers = scene.mapping_centers()
    axis = int(np.ptp(centers, axis=0).argmax())
    middle = float(np.median(centers[:, axis]))

    def is_here(frame: Frame) -> bool:
        assert frame.world_from_cam is not None
        return bool(frame.world_from_cam[axis, 3] < middle)

    here = tuple(f for f in scene.mapping if is_here(f))
    beyond = [f for f in scene.queries if "/own-" in f.name and not is_here(f)]
    return replace(scene, mapping=here), beyond


def _made(name: str, made: Made, scene: Scene, photos: Photos, options: Options) -> Asked:
    path = options.out / "maps" / f"{name}-{made}.safetensors"
    if not path.is_file():
        print(f"map {path.stem}", file=sys.stderr, flush=True)
        steps = max(1, options.steps // 10) if made == "early" else options.steps
        how = MappingOptions(
            heads=1,
            short_side=min(SIZE),
            views=2 * options.frames,
            steps=steps,
            batch=1024,
            width=256,
        )
        with progress_bar() as progress:
            result = map_scene(scene, options=how, device="cpu", progress=progress)
        result.scene_map.save(path)
    return Asked(path.stem, made, path, photos, METRES)


def given(options: Options) -> Iterator[Asked]:
    """Maps of real scenes."""
    if options.scenes is None or options.maps is None:
        return
    files = {path: path.name.split("-")[0] for path in sorted(options.maps.glob("*.safetensors"))}
    files = {path: scene for path, scene in files.items() if "-kf-" not in path.name}
    queries = {
        name: evenly(posed(opened(name, options.scenes).queries), OF_SCENE)
        for name in sorted(set(files.values()))
    }
    for path, name in files.items():
        scene_map = SceneMap.load(path)
        bound = METRES if scene_map.unit == "metre" else OF_EXTENT * scene_map.extent
        others = [frame for other, own in queries.items() if other != name for frame in own]
        photos = Photos(own=queries[name], elsewhere=others)
        yield Asked(path.stem, "given", path, photos, bound)


def answer(asked: Asked, made: Sample, number: int) -> Row:
    """What a map says of a picture, and whether that is right."""
    query = Query(f"{made.kind}-{number}", made.image, made.camera)
    estimate = next(_localizer(asked.path).localize_many([query], workers=1))
    off, degrees = math.inf, math.inf
    if made.world_from_cam is not None and estimate.world_from_cam is not None:
        off, degrees = pose_error(estimate.world_from_cam, made.world_from_cam)
    return {
        "map": asked.name,
        "made": asked.made,
        "kind": made.kind,
        "number": number,
        "detail": made.detail,
        "can_be_right": made.can_be_right,
        "right": bool(off <= asked.bound and degrees <= DEGREES),
        "off": off,
        "degrees": degrees,
        **_told(estimate),
    }


def _told(estimate: Estimate) -> Row:
    return {
        "localized": estimate.localized,
        "confidence": estimate.confidence,
        "inliers": estimate.inliers,
        "inlier_share": estimate.inlier_share,
        "landmark_inliers": estimate.landmark_inliers,
        "contradicted": estimate.contradicted,
        "reason": estimate.reason,
        "reason_kind": estimate.reason_kind,
    }


@lru_cache(maxsize=24)
def _localizer(path: Path) -> Localizer:
    return Localizer.from_file(path, device="cpu")


def upper_bound(events: int, tries: int, *, level: float = 0.95) -> float:
    """The probability below which the true one lies at a level (Clopper and Pearson, 1934)."""
    if events >= tries:
        return 1.0
    low, high = events / tries, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        terms = [
            math.lgamma(tries + 1) - math.lgamma(k + 1) - math.lgamma(tries - k + 1)
            + k * math.log(middle) + (tries - k) * math.log1p(-middle)
            for k in range(events + 1)
        ]  # fmt: skip
        at_most = sum(math.exp(term) for term in terms)
        low, high = (middle, high) if at_most > 1 - level else (low, middle)
    return high


def table(rows: Sequence[Row]) -> str:
    """Answers by kind and by how the map was made, in Markdown."""
    lines = [
        "| pictures | maps | asked | believed | wrongly | % | at most (95 %) | mostly said |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kind = f"focal x {row['detail']}" if row["kind"] == "focal" else row["kind"]
        groups.setdefault((kind, row["made"]), []).append(row)
    for (kind, made), group in sorted(groups.items()):
        believed = sum(row["localized"] for row in group)
        wrong = sum(row["localized"] and not row["right"] for row in group)
        share, most = 100 * wrong / len(group), 100 * upper_bound(wrong, len(group))
        said = Counter(row["reason_kind"] for row in group if not row["localized"])
        lines.append(
            f"| {kind} | {made} | {len(group)} | {believed} | {wrong} | {share:.2f} | {most:.2f} | "
            f"{said.most_common(1)[0][0] if said else ''} |"
        )
    return "\n".join(lines) + "\n"


def run(options: Options) -> None:
    """Asks what is missing."""
    stored = options.out / "negatives.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    if stored.is_file():
        # A line that was cut short by the end of the process is asked again.
        complete = stored.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
        rows = [json.loads(line) for line in complete]
        write_text(stored, "".join(f"{line}\n" for line in complete))
    done = {(row["map"], row["kind"], row["number"]) for row in rows}
    maps = [*rendered(options), *given(options)]
    with stored.open("a", encoding="utf-8") as lines:
        for start in range(0, options.count, ROUND):
            for asked in maps:
                for kind in possible_kinds(asked.photos):
                    for number in range(start, min(options.count, start + ROUND)):
                        if kind not in options.kinds or (asked.name, kind, number) in done:
                            continue
                        seed = [crc32(f"{asked.name} {kind}".encode()), number]
                        made = sample(kind, asked.photos, seed=seed)
                        row = json.loads(json_text(answer(asked, made, number), indent=None))
                        lines.write(json.dumps(row) + "\n")
                        lines.flush()
                        rows.append(row)
            write_text(options.out / "negatives.md", table(rows))
    print(table(rows))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
