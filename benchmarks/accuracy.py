"""Accuracy, mapping time and map size of `reloc` and of the reference, in one table.

    python benchmarks/accuracy.py --scenes SCENES --seconds 60 300 --reference

Every finished row goes to OUT/accuracy.json at once, and OUT/accuracy.md is written anew. Run the
same command again to go on where it stopped: rows that are there are not measured again, unless
they were made with another backbone.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
import tyro
from accuracy_table import markdown

from reloc.backbone import Backbone, load_backbone
from reloc.cli.console import progress_bar
from reloc.devices import pick_device
from reloc.errors import OptionError, RelocError, SceneError
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.files import json_text, write_text
from reloc.landmarks.building import LandmarkOptions
from reloc.localize import Localizer, Query
from reloc.localize.estimate import Estimate
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import MappingOptions, MappingResult
from reloc.methods.dispatch import map_scene
from reloc.methods.mapping_plan import MethodOptions
from reloc.progress import Progress
from reloc.scenes import Scene, open_scene

REFERENCE = "feature matching"
METRIC_LIMITS = ("2cm_2deg", "5cm_5deg")
NO_LANDMARKS = LandmarkOptions(count=0)

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder whose subfolders are scenes.
        only: names of the scenes to measure; by default every subfolder, and ``redkitchen-kf``
            beside ``redkitchen``. A name with ``-x100`` or ``-x0.01`` at its end is that scene in
            another unit of length.
        seconds: time limits of mapping, 0 for none: the map ends when it is good. Without any the
            reference alone is measured.
        reference: measure feature matching as well; needs pycolmap (``reloc[bench]``).
        heads: numbers of heads to map with, in place of the one that the scene itself suggests.
        seeds: how many times to map each scene with each limit; the table shows medians.
        out: folder for the table, the rows and the maps.
        backbone: a backbone file; by default the shipped one.
    """

    scenes: Path
    only: tuple[str, ...] = ()
    seconds: tuple[float, ...] = (60.0, 300.0)
    reference: bool = False
    heads: tuple[int, ...] = ()
    seeds: int = 1
    out: Path = Path("benchmark-results")
    backbone: Path | None = None


def count_processor_time() -> None:
    """Makes the clocks that mapping and measuring read those of the processor, all threads
    together: for a machine that others use as well."""
    time.monotonic = time.perf_counter = time.process_time


@dataclass(frozen=True)
class Source:
    """Where a named scene comes from: a folder, a pose set in it, a unit of length."""

    folder: str
    poses: Path | None = None
    scale: float = 1.0


# Scenes that are not simply the folder of their name. 7-Scenes are reported with both pose sets.
SOURCES = {
    "redkitchen": Source("redkitchen", poses=Path("poses_sfm.txt")),
    "redkitchen-kf": Source("redkitchen"),
}


def source_of(name: str) -> Source:
    """The source of a scene by its name, which may end in ``-x100`` or the like."""
    scaled = re.fullmatch(r"(.+)-x(\d+(?:\.\d+)?)", name)
    if scaled:
        return replace(source_of(scaled[1]), scale=float(scaled[2]))
    return SOURCES.get(name, Source(name))


def scene_names(folder: Path) -> list[str]:
    """Every subfolder, and the named scenes that are made of one of them."""
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    return sorted(folders | {name for name, s in SOURCES.items() if s.folder in folders})


def opened(name: str, folder: Path) -> Scene:
    """The scene of a name below a folder. Raises SceneError as ``open_scene`` does."""
    source = source_of(name)
    scene = open_scene(folder / source.folder, poses=source.poses)
    return scene if source.scale == 1.0 else scene.scaled(source.scale)


def measured_by_reloc(
    scene: Scene,
    *,
    backbone: Backbone,
    options: MethodOptions,
    path: Path,
    progress: Progress,
    landmarks: LandmarkOptions = NO_LANDMARKS,
) -> Evaluation:
    """Maps a scene, writes the map to a path, reads it back and localizes with it.

    Without landmarks for those who compare heads.
    """
    make = partial(
        map_scene, scene, backbone, options=options, landmarks=landmarks, progress=progress
    )
    return measured_map(scene, make, backbone=backbone, path=path, progress=progress)


def measured_map(
    scene: Scene,
    make: Callable[[], MappingResult],
    *,
    backbone: Backbone,
    path: Path,
    progress: Progress,
) -> Evaluation:
    """Makes a map, writes it to a path, reads it back and localizes the queries with it."""
    began = time.perf_counter()
    made = make()
    seconds = time.perf_counter() - began
    made.scene_map.save(path)
    localizer = Localizer(SceneMap.load(path), backbone)
    queries = [Query(frame.name, frame.image, frame.camera) for frame in scene.queries]
    estimates = []
    # One reader and one solver: times of stages are little disturbed by other queries.
    for estimate in localizer.localize_many(queries, workers=1):
        estimates.append(estimate)
        progress("queries", len(estimates), len(queries))
    return _evaluated(scene, estimates, path.stat().st_size, seconds)


def measured_by_reference(scene: Scene, *, progress: Progress) -> Evaluation:
    """Maps and localizes by feature matching."""
    try:
        import feature_matching
    except ImportError as error:
        raise OptionError("the reference needs pycolmap; pip install reloc[bench]") from error
    reference_map = feature_matching.map_by_matching(scene, progress=progress)
    estimates = []
    for frame in scene.queries:
        estimates.append(feature_matching.localize(reference_map, frame))
        progress("queries", len(estimates), len(scene.queries))
    return _evaluated(scene, estimates, reference_map.stored_bytes, reference_map.seconds)


def figures_of(evaluation: Evaluation) -> Row:
    """What a row holds of an evaluation; lost and inapplicable figures become null in the JSON."""
    extent = evaluation.scene_extent
    metric = evaluation.unit == "metre"
    median = evaluation.median_translation
    return {
        "unit": evaluation.unit,
        "extent": extent,
        "queries": evaluation.queries,
        "localized": evaluation.localized,
        "mapping_seconds": evaluation.mapping_seconds,
        "map_bytes": evaluation.map_bytes,
        "median_percent_of_extent": 100 * median / extent if extent > 0 else None,
        "median_cm": 100 * median if metric else None,
        "median_deg": evaluation.median_rotation_deg,
        **{key: evaluation.recall[key] if metric else None for key in METRIC_LIMITS},
        **evaluation.recall_of_extent,
        "seconds_per_query": evaluation.seconds_per_query["median"],
    }


class Results:
    """The rows measured so far, on disk after each one."""

    def __init__(self, folder: Path) -> None:
        self._json, self._table = folder / "accuracy.json", folder / "accuracy.md"
        self.rows: list[Row] = []
        if self._json.is_file():
            try:
                self.rows = json.loads(self._json.read_text(encoding="utf-8"))["rows"]
            except (ValueError, KeyError, TypeError) as error:
                raise OptionError(f"{self._json}: no results; move it away") from error

    def has(self, key: Row) -> bool:
        """Whether a row of this scene, method, seed and backbone is there."""
        return any(key.items() <= row.items() for row in self.rows)

    def add(self, row: Row) -> None:
        """Puts a row in the place of the one of the same scene, method and seed, or at the end."""

        def place(r: Row) -> tuple[Any, ...]:
            return r["scene"], r["method"], r["seed"]

        rows = [r for r in self.rows if place(r) != place(row)] + [row]
        text = json_text({"rows": rows})
        # As a reader of the JSON sees them: infinite errors are null.
        self.rows = json.loads(text)["rows"]
        write_text(self._json, text + "\n")
        write_text(self._table, self.table())

    def table(self) -> str:
        return markdown(self.rows)


def run(options: Options) -> int:
    """Measures what is missing; returns the exit status."""
    if not options.scenes.is_dir():
        raise SceneError(f"{options.scenes}: no such folder; give the one that holds the scenes")
    backbone = load_backbone(options.backbone) if options.seconds else None
    results = Results(options.out)
    failed = 0
    for name in options.only or scene_names(options.scenes):
        for key, measure in _jobs(name, options, backbone):
            if results.has(key):
                continue
            print(f"{name}: {key['method']}, seed {key['seed']}", file=sys.stderr, flush=True)
            try:
                scene = opened(name, options.scenes)
                with progress_bar() as progress:
                    row = (
                        key
                        | figures_of(measure(scene, progress=progress))
                        | {"machine": _machine()}
                    )
                results.add(row)
            except RelocError as error:
                failed += 1
                print(f"{name}: {error}", file=sys.stderr)
    print(results.table())
    return 2 if failed else 0


def _jobs(
    name: str, options: Options, backbone: Backbone | None
) -> Iterator[tuple[Row, Callable[..., Evaluation]]]:
    """What to measure of a scene: the key of each row, and how to get its figures."""
    for limit, heads, seed in product(
        options.seconds, options.heads or (None,), range(options.seeds)
    ):
        if backbone is not None:
            told = f" {limit:g} s" if limit else ""
            told += "" if heads is None else f", heads {heads}"
            suffix = told.replace(" ", "").replace(",heads", "-heads").strip("-")
            file = f"{name}-{suffix or 'good'}-{seed}.safetensors"
            yield (
                _key(name, f"reloc{told}", seed, backbone.fingerprint),
                partial(
                    measured_by_reloc,
                    backbone=backbone,
                    options=MappingOptions(time_limit=limit or None, heads=heads, seed=seed),
                    path=options.out / "maps" / file,
                    landmarks=LandmarkOptions(),
                ),
            )
    if options.reference:
        # One row: nothing in it depends on a seed.
        yield _key(name, REFERENCE, 0, None), measured_by_reference


def _key(scene: str, method: str, seed: int, backbone: str | None) -> Row:
    return {"scene": scene, "method": method, "seed": seed, "backbone": backbone}


def _evaluated(
    scene: Scene, estimates: list[Estimate], map_bytes: int, mapping_seconds: float
) -> Evaluation:
    return evaluate(
        estimates,
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=map_bytes,
        mapping_seconds=mapping_seconds,
        unit=scene.unit,
        scene_name=scene.name,
    )


def _machine() -> str:
    device = pick_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


if __name__ == "__main__":
    try:
        sys.exit(run(tyro.cli(Options, description=__doc__)))
    except RelocError as error:
        sys.exit(f"error: {error}")
