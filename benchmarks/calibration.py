"""Calibrates confidence and covariances on places that had no say in anything else.

    python benchmarks/calibration.py --scenes SCENES --photos PHOTOS --maps OUT/maps

Maps of real scenes and of rendered rooms, from good to hardly made, localize queries of their own
place and of others. What each image says of its pose is written to OUT/samples, a line each; the
same command goes on where it stopped. Then the model is fitted and judged: figures are of places
that it was not fitted to. `--report-only` does this with what is there.
"""

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from calibration_places import Maps, Place, places
from calibration_report import report
from corruptions import CORRUPTIONS
from negatives import Photos, possible_kinds, shot_of
from negatives import sample as negative

from reloc.cli.console import progress_bar
from reloc.errors import RelocError
from reloc.files import json_text
from reloc.geometry import Camera, inverted
from reloc.images.files import IMAGE_SUFFIXES, image_size
from reloc.localize import Localizer, Query
from reloc.localize.estimate import Estimate
from reloc.maps.scene_map import SceneMap
from reloc.scenes import Frame

# Kinds of negatives that every map can be asked for.
NEGATIVES = ("elsewhere", "sibling", "mirrored", "poster", "screen", "nowhere")
# Shares of queries that something stands before.
COVERED = (0.25, 0.4, 0.6)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder of real scenes.
        photos: folder of photos of nowhere.
        maps: folder of maps that are taken beside those that are made here.
        out: folder for rooms, maps, samples and the report.
        rooms: rendered, each in a style of its own.
        campus: rendered in few styles.
        kinds: of maps.
        own: queries of the map's place.
        negatives: of each kind, for each map, and queries that something stands before.
        only: names of places; by default all.
        report_only: measure nothing more.
    """

    scenes: Path | None = None
    photos: Path | None = None
    maps: Path | None = None
    out: Path = Path("benchmark-results/calibration")
    rooms: int = 9
    campus: int = 5
    kinds: tuple[str, ...] = ("draft", "half", "given", "trained", "cut")
    own: int = 24
    negatives: int = 6
    only: tuple[str, ...] = ()
    report_only: bool = False


@dataclass(frozen=True)
class Asked:
    """A query with what it is for the map.

    Attributes:
        kind: ``own``, or of negatives.
        query: the image.
        truth: (4, 4) pose in the map's frame; None where no pose is right.
    """

    kind: str
    query: Query
    truth: Any = None


def queries(place: Place, others: list[Place], name: str, options: Options) -> Iterator[Asked]:
    """What a map is asked; the same for the same names."""
    rng = random.Random(f"{place.name} {name}")
    own = place.open().queries
    for frame in _some(own, options.own, rng):
        yield Asked("own", Query(frame.name, frame.image, frame.camera), frame.world_from_cam)
    # What stands before a place leaves a part of it, as a picture of it does.
    for frame in _some(own, options.negatives, rng):
        share = rng.choice(COVERED)
        covered = CORRUPTIONS["covered"].apply(
            shot_of(frame), share, np.random.default_rng(rng.randrange(2**31))
        )
        query = Query(f"{frame.name}, {share} covered", covered.image, covered.camera)
        yield Asked("own", query, covered.world_from_cam)
    foreign = [f for o in _some([o for o in others if o.group != place.group], 3, rng)
               for f in o.open().queries]  # fmt: skip
    photos = Photos(
        own=own,
        elsewhere=[*_some(foreign, 40, rng), *_photos(options.photos, 40, rng)],
        siblings=[f for o in others if o.group == place.group for f in o.open().queries],
    )
    for kind in NEGATIVES:
        for number in range(options.negatives if kind in possible_kinds(photos) else 0):
            made = negative(kind, photos, seed=(rng.randrange(2**31), number))
            yield Asked(kind, Query(f"{number} {made.detail}", made.image, made.camera))


def _photos(folder: Path | None, count: int, rng: random.Random) -> list[Frame]:
    """Photos of nowhere, as frames; their poses mean nothing."""
    if folder is None:
        return []
    frames = []
    paths = sorted(p for p in folder.rglob("*") if p.suffix in IMAGE_SUFFIXES)
    for photo in _some(paths, count, rng):
        width, height = image_size(photo)
        camera = Camera.pinhole(width=width, height=height, fx=0.9 * max(width, height))
        frames.append(Frame(photo.name, photo, camera, np.eye(4)))
    return frames


def _some(values: Any, count: int, rng: random.Random) -> list[Any]:
    return rng.sample(list(values), min(count, len(values)))


def sample(place: Place, name: str, scene_map: SceneMap, asked: Asked, found: Estimate) -> Any:
    """A line: what the map is, what was asked, what was found and how far off that is."""
    motion = None
    if asked.truth is not None and found.world_from_cam is not None:
        # Of the small motion from the estimate to the truth, in the frame of the estimate.
        motion = (inverted(found.world_from_cam) @ asked.truth)[:3].tolist()
    return {
        "place": place.name,
        "group": place.group,
        "map": name,
        "unit": scene_map.unit,
        "extent": scene_map.extent,
        "kind": asked.kind,
        "image": asked.query.name,
        "motion": motion,
        "evidence": None if found.evidence is None else asdict(found.evidence),
    }


def collect(options: Options) -> None:
    """Localizes what is missing."""
    folder = options.out / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar() as progress:
        all_places = list(
            places(
                options.out,
                options.scenes,
                rooms=options.rooms,
                campus=options.campus,
                progress=progress,
            )
        )
        chosen = [p for p in all_places if not options.only or p.name in options.only]
        for kind, place in ((k, p) for k in options.kinds for p in chosen):
            done = folder / f"{place.name}--{kind}.done"
            if done.exists():
                continue
            maps = Maps(place, options.out / "maps", given=options.maps).of_kind(kind)
            others = [other for other in all_places if other is not place]
            for name, scene_map in maps.items():
                _localize(place, others, name, scene_map, folder, options)
            if maps:
                done.touch()


def _localize(
    place: Place,
    others: list[Place],
    name: str,
    scene_map: SceneMap,
    folder: Path,
    options: Options,
) -> None:
    path = folder / f"{place.name}--{name.replace(', ', '-').replace(' ', '-')}.jsonl"
    there = set()
    if path.exists():
        # A line that was cut off is measured again.
        lines = [line for line in path.read_text().splitlines() if line.endswith("}")]
        path.write_text("".join(f"{line}\n" for line in lines))
        there = {(row["kind"], row["image"]) for row in map(json.loads, lines)}
    wanted = [
        asked
        for asked in queries(place, others, name, options)
        if (asked.kind, asked.query.name) not in there
    ]
    localizer = Localizer(scene_map)
    estimates = localizer.localize_many((asked.query for asked in wanted), workers=1)
    with path.open("a") as samples:
        for asked, found in zip(wanted, estimates, strict=True):
            line = sample(place, name, scene_map, asked, found)
            samples.write(json_text(line, indent=None) + "\n")
            samples.flush()
    print(f"{place.name}, {name}: {len(wanted)} queries", file=sys.stderr, flush=True)


def main(options: Options) -> None:
    if not options.report_only:
        collect(options)
    print(report(options.out))


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
