"""Maps that end when they are good, beside maps of fixed numbers of steps.

    python benchmarks/stop_rule.py --scenes SCENES --only fox office --steps 500 1000 2000

Times are of the processor, all threads together. Rows go to OUT/stop_rule.json one by one; the same
command goes on where it stopped.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from accuracy import count_processor_time, opened

from reloc.errors import RelocError
from reloc.evaluation.metrics import evaluate
from reloc.evaluation.quality import quality_text
from reloc.files import json_text, write_text
from reloc.localize import Localizer, Query
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import preset_options
from reloc.methods.dispatch import map_scene
from reloc.sampling import evenly
from reloc.scenes import Scene, open_scene, posed

# No map reaches it: all steps are made.
NEVER = "100% 0.000001%extent 0.000001deg"
RULE = "until it is good"

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder of scenes.
        only: names of the scenes, or folders of others.
        steps: fixed numbers of steps of each head to compare with.
        queries: of a scene, at most, evenly spaced.
        out: folder for rows and maps.
    """

    scenes: Path
    only: tuple[str, ...]
    steps: tuple[int, ...] = (500, 1000, 2000)
    queries: int = 100
    out: Path = Path("benchmark-results")


def figures(scene: Scene, scene_map: SceneMap) -> Row:
    """What queries get, with landmarks and by heads alone."""
    found: Row = {}
    for name, told in (("map", scene_map), ("heads", replace(scene_map, landmarks=None))):
        queries = [Query(frame.name, frame.image, frame.camera) for frame in scene.queries]
        evaluation = evaluate(
            list(Localizer(told).localize_many(queries)),
            scene.queries,
            scene_extent=scene.extent(),
            map_bytes=0,
            mapping_seconds=None,
            unit=scene.unit,
        )
        found[name] = {
            "median": 100 * evaluation.median_translation / scene.extent(),
            "degrees": evaluation.median_rotation_deg,
            **evaluation.recall_of_extent,
        }
    return found


def measured(scene: Scene, steps: int | None, path: Path) -> Row:
    """The row of a map of so many steps, or of as many as the rule wants."""
    changes: dict[str, Any] = {} if steps is None else {"steps": steps, "until": NEVER}
    began = time.process_time()
    made = map_scene(scene, options=preset_options("standard", **changes)).scene_map
    seconds = time.process_time() - began
    made.save(path)
    loaded = SceneMap.load(path)
    return {
        "seconds": seconds,
        "steps": made.info["steps"] // len(made.regions),
        "views": made.info["views"],
        "held_back": quality_text(loaded),
        **figures(scene, loaded),
    }


def table(rows: list[Row]) -> str:
    """All rows in Markdown."""
    lines = [
        "| scene | training | steps of a head | processor | median | 1 %, 2° "
        "| heads alone | 1 %, 2° | 3 %, 5° |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        whole, heads = row["map"], row["heads"]
        lines.append(
            f"| {row['scene']} | {row['training']} | {row['steps']} | {row['seconds']:.0f} s "
            f"| {_percent(whole['median'])} | {whole['1%_2deg']:.0f} % "
            f"| {_percent(heads['median'])} | {heads['1%_2deg']:.0f} % "
            f"| {heads['3%_5deg']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def _percent(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.3f} %"


def jobs(options: Options) -> Iterator[tuple[str, int | None]]:
    """Scenes with the steps of a map each; None for those that the rule wants."""
    for name in options.only:
        yield name, None
        yield from ((name, steps) for steps in options.steps)


def run(options: Options) -> int:
    """Measures what is missing; returns the exit status."""
    count_processor_time()
    path = options.out / "stop_rule.json"
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    options.out.mkdir(parents=True, exist_ok=True)
    for name, steps in jobs(options):
        training = RULE if steps is None else f"{steps} steps"
        key = {"scene": Path(name).name, "training": training}
        if any(key.items() <= row.items() for row in rows):
            continue
        print(f"{name}: {training}", file=sys.stderr, flush=True)
        scene = opened(name, options.scenes) if "/" not in name else open_scene(Path(name))
        scene = replace(scene, queries=evenly(posed(scene.queries), options.queries))
        made = options.out / f"{key['scene']}-{steps or 'good'}.safetensors"
        rows.append({**key, **measured(scene, steps, made)})
        text = json_text(rows)
        rows = json.loads(text)
        write_text(path, text + "\n")
        write_text(options.out / "stop_rule.md", table(rows))
    print(table(rows), end="")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run(tyro.cli(Options)))
    except RelocError as error:
        sys.exit(f"error: {error}")
