"""Recall of worse and worse queries: for a map of reloc, and for feature matching.

    python benchmarks/robustness.py --scenes SCENES --reference \
        --maps redkitchen KITCHEN.safetensors fox FOX.safetensors --queries 100 --out OUT

Every finished row goes to OUT/robustness.json at once, and OUT/robustness-<scene>.svg is drawn
anew. The same command goes on where it stopped; a row counts as measured if scene, method, map,
corruption, strength and number of queries are the same.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
import tyro
from accuracy import REFERENCE, opened
from corruptions import CORRUPTIONS, Shot
from robustness_plot import UNTOUCHED, plot_robustness

from reloc.cli.console import progress_bar
from reloc.errors import OptionError, RelocError
from reloc.evaluation.metrics import evaluate
from reloc.files import json_text, write_text
from reloc.images.files import read_image, write_image
from reloc.localize import Localizer, Query
from reloc.localize.estimate import Estimate
from reloc.progress import Progress
from reloc.sampling import evenly
from reloc.scenes import Frame, Scene, posed

Row = dict[str, Any]
Localize = Callable[[Frame], Estimate]
Strength = tuple[str, float]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder whose subfolders are scenes, named as for ``accuracy.py``.
        maps: a map of each scene to measure: ``--maps SCENE FILE SCENE FILE``.
        reference: measure feature matching as well; needs pycolmap (``reloc[bench]``).
        changes: which corruptions; by default all.
        queries: of each scene at most, evenly spaced.
        out: folder for the rows and the plots.
        plots: kind of the plots.
        backbone: a backbone file; by default the shipped one that the map asks for.
        device: where the networks run.
    """

    scenes: Path
    maps: dict[str, Path] = field(default_factory=dict)
    reference: bool = False
    changes: tuple[str, ...] = tuple(CORRUPTIONS)
    queries: int = 100
    out: Path = Path("benchmark-results")
    plots: Literal["svg", "png"] = "svg"
    backbone: Path | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.changes) - set(CORRUPTIONS):
            known = ", ".join(CORRUPTIONS)
            raise OptionError(f"no such change: {', '.join(sorted(unknown))}; known are {known}")
        if self.queries < 1 or not self.maps:
            raise OptionError("give at least one map, as --maps SCENE FILE, and one query")


def spoiled(frame: Frame, change: str, strength: float, path: Path) -> Frame:
    """The frame with a worse image, without loss at ``path``, and with the truth that fits it.

    What chance decides depends on the names of frame and change alone, so that all methods see the
    same images and a stronger change differs in its strength only.
    """
    assert frame.world_from_cam is not None
    shot = Shot(read_image(frame.image), frame.camera, frame.world_from_cam)
    if change != UNTOUCHED:
        rng = np.random.default_rng(crc32(f"{frame.name} {change}".encode()))
        shot = CORRUPTIONS[change].apply(shot, strength, rng)
    write_image(path, shot.image)
    return replace(frame, image=path, camera=shot.camera, world_from_cam=shot.world_from_cam)


def measured(
    scene: Scene, localize: Localize, change: str, strength: float, *, progress: Progress
) -> Row:
    """The figures of a method on the spoiled queries of a scene."""
    frames, estimates = [], []
    with tempfile.TemporaryDirectory(prefix="reloc-") as folder:
        for frame in scene.queries:
            frames.append(spoiled(frame, change, strength, Path(folder) / "query.png"))
            estimates.append(localize(frames[-1]))
            progress(f"{change} {strength:g}", len(frames), len(scene.queries))
    figures = evaluate(
        estimates,
        frames,
        scene_extent=scene.extent(),
        map_bytes=0,
        mapping_seconds=None,
        unit=scene.unit,
    )
    return {
        "localized": figures.localized,
        "median_deg": figures.median_rotation_deg,
        **(figures.recall if scene.unit == "metre" else {}),
        **figures.recall_of_extent,
    }


def by_map(path: Path, options: Options) -> Localize:
    """Localization with a map of reloc."""
    localizer = Localizer.from_file(path, options.backbone, device=options.device)

    def localize(frame: Frame) -> Estimate:
        return next(localizer.localize_many([Query(frame.name, frame.image, frame.camera)]))

    return localize


def by_matching(scene: Scene) -> Localize:
    """Localization by feature matching, which is told the true pose to choose frames by."""
    try:
        import feature_matching
    except ImportError as error:
        raise OptionError("the reference needs pycolmap; pip install reloc[bench]") from error
    with progress_bar() as progress:
        reference_map = feature_matching.map_by_matching(scene, progress=progress)
    return partial(feature_matching.localize, reference_map)


def strengths(changes: Sequence[str]) -> Iterator[Strength]:
    """What is done to the queries: nothing, then each change at each strength."""
    yield UNTOUCHED, 0.0
    for change in changes:
        yield from ((change, float(s)) for s in CORRUPTIONS[change].strengths)


def plot(rows: Sequence[Row], scene: Scene, path: Path) -> None:
    """Draws the rows of a scene."""
    metric = scene.unit == "metre"
    limit = "5 cm, 5°" if metric else "1 % of extent, 2°"
    title = f"{scene.name}: {rows[0]['queries']} queries within {limit}"
    plot_robustness(rows, path, measure="5cm_5deg" if metric else "1%_2deg", title=title)


def run(options: Options) -> None:
    """Measures what is missing."""
    stored = options.out / "robustness.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    for name, map_path in options.maps.items():
        whole = opened(name, options.scenes)
        scene = replace(whole, queries=evenly(posed(whole.queries), options.queries))
        # A method is made ready when the first of its rows is missing.
        methods = {"reloc": (str(map_path), cache(partial(by_map, map_path, options)))}
        if options.reference:
            methods[REFERENCE] = ("", cache(partial(by_matching, scene)))
        places: Row = {"scene": name, "queries": len(scene.queries)}
        wanted = [
            (places | {"method": method, "map": used, "change": c, "strength": s}, prepare)
            for c, s in strengths(options.changes)
            for method, (used, prepare) in methods.items()
        ]
        for key, prepare in wanted:
            if any(key.items() <= row.items() for row in rows):
                continue
            localize = prepare()
            with progress_bar() as progress:
                figures = measured(
                    scene, localize, key["change"], key["strength"], progress=progress
                )
            rows.append(key | figures)
            write_text(stored, json_text({"rows": rows}) + "\n")
        shown = [row for row in rows if any(key.items() <= row.items() for key, _ in wanted)]
        plot(shown, scene, options.out / f"robustness-{name}.{options.plots}")


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
