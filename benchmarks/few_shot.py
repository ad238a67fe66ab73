"""Maps from few photos: drafts, the closed form and the trained head, each with its landmarks.

    python benchmarks/few_shot.py --scenes SCENES --frames 10 20 50 100 200 --seconds 10 60 300

Mapping frames are evenly spaced over the mapping set; queries stay the same. ``fox`` is small and
is measured with all its frames. Every finished row goes to OUT/few_shot.json at once; the same
command goes on where it stopped.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from accuracy import (
    REFERENCE,
    count_processor_time,
    figures_of,
    measured_by_reference,
    measured_by_reloc,
    opened,
)

from reloc.backbone import Backbone, load_backbone, load_context_backbone
from reloc.cli.console import progress_bar
from reloc.errors import RelocError
from reloc.evaluation.metrics import Evaluation
from reloc.files import json_text, write_text
from reloc.landmarks import LandmarkOptions
from reloc.methods.ace import MappingOptions
from reloc.methods.mapping_plan import MethodOptions
from reloc.methods.ridge import DRAFT, RidgeOptions
from reloc.sampling import evenly
from reloc.scenes import Scene

Row = dict[str, Any]
# The figures of a row, as the table heads them.
COLUMNS = {
    "mapping_seconds": "mapping s",
    "median_cm": "median cm",
    "median_deg": "median deg",
    "10cm_5deg": "10cm/5deg",
    "25cm_5deg": "25cm/5deg",
    "1%_2deg": "1%/2deg",
    "3%_5deg": "3%/5deg",
}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder that holds ``redkitchen`` and ``fox``.
        frames: mapping frames of ``redkitchen``; 0 leaves the scene out.
        fox: measure ``fox`` as well.
        seconds: time limits of the trained head; none leaves it out.
        reference: measure feature matching as well; needs pycolmap.
        queries: of each scene at most, evenly spaced.
        processor_time: limits and times are of the processor, all threads together: for a machine
            that others use as well.
        out: folder for the rows, the table and the maps.
    """

    scenes: Path
    frames: tuple[int, ...] = (10, 20, 50, 100, 200)
    fox: bool = True
    seconds: tuple[float, ...] = (10.0, 60.0, 300.0)
    reference: bool = False
    queries: int = 100
    processor_time: bool = False
    out: Path = Path("benchmark-results")


def methods(options: Options, place: str) -> Iterator[tuple[str, Callable[..., Evaluation]]]:
    """Names of what is measured, and how to get the figures of a scene."""
    context, plain = load_context_backbone(), load_backbone()
    ways: dict[str, tuple[Backbone, MethodOptions]] = {
        "draft": (context, DRAFT),
        "ridge": (context, RidgeOptions()),
        **{f"mlp {s:g} s": (plain, MappingOptions(time_limit=s)) for s in options.seconds},
    }
    for method, (backbone, how) in ways.items():
        file = f"{place}-{method.replace(' ', '-')}.safetensors"
        yield (
            method,
            partial(
                measured_by_reloc,
                backbone=backbone,
                options=how,
                landmarks=LandmarkOptions(),
                path=options.out / "maps" / file,
            ),
        )
    if options.reference:
        yield REFERENCE, measured_by_reference


def within(evaluation: Evaluation, centimetres: float, degrees: float) -> float:
    """Percent of the localized and lost queries within a limit, metric scenes only."""
    translation, rotation = evaluation.errors()
    return float(100 * np.mean((translation < centimetres / 100) & (rotation < degrees)))


def row_of(scene: Scene, evaluation: Evaluation) -> Row:
    """The figures of a table row."""
    figures = figures_of(evaluation)
    if scene.unit == "metre":
        figures |= {f"{cm}cm_5deg": within(evaluation, cm, 5) for cm in (10, 25)}
    return figures


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| " + " | ".join(["scene", "frames", "method", *COLUMNS.values()]) + " |",
        "|" + "---|" * (3 + len(COLUMNS)),
    ]
    for row in rows:
        figures = ["-" if row.get(k) is None else f"{row[k]:.3g}" for k in COLUMNS]
        lines.append("| " + " | ".join([row["scene"], str(row["frames"]), row["method"], *figures]))
        lines[-1] += " |"
    return "\n".join(lines) + "\n"


def run(options: Options) -> None:
    """Measures what is missing."""
    if options.processor_time:
        count_processor_time()
    stored = options.out / "few_shot.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    places = [("redkitchen", count) for count in options.frames if count]
    places += [("fox", sys.maxsize)] if options.fox else []
    for name, count in places:
        scene = opened(name, options.scenes)
        scene = replace(
            scene,
            mapping=evenly(scene.mapping, count),
            queries=evenly(scene.queries, options.queries),
        )
        frames = len(scene.mapping)
        for method, measure in methods(options, f"{name}-{frames}"):
            key = {"scene": name, "frames": frames, "method": method}
            if any(key.items() <= row.items() for row in rows):
                continue
            print(f"{name}, {frames} frames: {method}", file=sys.stderr, flush=True)
            with progress_bar() as progress:
                rows.append(key | row_of(scene, measure(scene, progress=progress)))
            write_text(stored, json_text({"rows": rows}) + "\n")
            write_text(options.out / "few_shot.md", table(json.loads(stored.read_text())["rows"]))
    print(table(rows))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
