"""Recall on a synthetic campus against the number of heads, all trained in the same time.

    python benchmarks/campus.py --seconds 300 --out OUT

The campus is rendered into OUT when it is needed first: rooms and corridors that look alike. It is
mapped with one head and with more which together have its weights, with heads as large each, with
wider heads, and with as many heads as are chosen by default. All of them learn from the same views,
whose time counts for each. Every finished row goes to OUT/campus.json at once, OUT/campus.md and
OUT/campus.svg are made in the end; the same command goes on where it stopped.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from accuracy import figures_of, measured_by_reloc
from shared_views import sharing_views

from reloc.backbone import Backbone, load_backbone
from reloc.cli.console import progress_bar
from reloc.errors import RelocError
from reloc.files import atomic_path, json_text, write_text
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import MappingOptions
from reloc.methods.ace.options import FULL_WIDTH
from reloc.scenes import Scene, open_scene
from reloc.synthetic.campus import write_campus
from reloc.view.style import GRAY, MAP_COLORS, new_figure, plain_axes

Row = dict[str, Any]
# The figures of a row, as the table heads them.
COLUMNS = {
    "regions": "heads",
    "width": "width",
    "megabytes": "MB",
    "views": "views",
    "steps_each": "steps of a head",
    "median_cm": "median cm",
    "median_deg": "median deg",
    "5cm_5deg": "5 cm, 5°",
    "10cm_5deg": "10 cm, 5°",
    "3%_5deg": "3 %, 5°",
    "trusted": "trusted",
}
MEASURES = {
    "10cm_5deg": "within 10 cm, 5°",
    "3%_5deg": "within 3 % of extent, 5°",
    "trusted": "trusted",
}
SHARED, FULL, WIDE, AUTO = (
    "bytes of one head",
    f"{FULL_WIDTH} wide each",
    "one wider head",
    "by default",
)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        rooms: of the campus, beside the corridors.
        frames: mapping frames of each room, twice as many of a corridor.
        queries: of each room likewise.
        size: of the images, in pixels.
        seconds: time limit of each mapping.
        heads: numbers of heads that together have the weights of one head of 512.
        full: numbers of heads that are as wide each as a single one.
        wide: widths of single heads.
        processor_time: limits and times are of the processor, all threads together: for a machine
            that others use as well.
        seed: of the campus and of mapping.
        out: folder for the campus, the rows and the maps.
    """

    rooms: int = 16
    frames: int = 160
    queries: int = 10
    size: tuple[int, int] = (384, 288)
    seconds: float = 300.0
    heads: tuple[int, ...] = (1, 4, 16, 64)
    full: tuple[int, ...] = (4, 16)
    wide: tuple[int, ...] = (1024,)
    processor_time: bool = False
    seed: int = 0
    out: Path = Path("benchmark-results")


def campus_of(options: Options) -> Scene:
    """The campus, rendered unless it is there."""
    size = "x".join(map(str, options.size))
    counts = f"{options.rooms}-{options.frames}-{options.queries}"
    folder = options.out / f"campus-{counts}-{size}-{options.seed}"
    if not folder.exists():
        with progress_bar() as progress:
            write_campus(
                folder,
                rooms=options.rooms,
                seed=options.seed,
                mapping=options.frames,
                queries=options.queries,
                width=options.size[0],
                height=options.size[1],
                depth=False,
                progress=progress,
            )
    return open_scene(folder)


def variants(options: Options) -> Iterator[Row]:
    """What tells one way of mapping from another: its kind, heads and width."""
    for heads in options.heads:
        yield {"kind": SHARED, "heads": heads, "asked_width": None}
    for width in options.wide:
        yield {"kind": WIDE, "heads": 1, "asked_width": width}
    yield {"kind": AUTO, "heads": None, "asked_width": None}
    for heads in options.full:
        yield {"kind": FULL, "heads": heads, "asked_width": FULL_WIDTH}


def measured(scene: Scene, variant: Row, backbone: Backbone, options: Options) -> Row:
    """The figures of a way of mapping."""
    name = f"{scene.name}-{variant['heads'] or 'auto'}-{variant['asked_width'] or 'shared'}"
    path = options.out / "maps" / f"{name}-{options.seconds:g}s.safetensors"
    with progress_bar() as progress:
        evaluation = measured_by_reloc(
            scene,
            backbone=backbone,
            options=MappingOptions(
                heads=variant["heads"],
                width=variant["asked_width"],
                short_side=min(options.size),
                time_limit=options.seconds,
                seed=options.seed,
            ),
            path=path,
            progress=progress,
        )
    made = SceneMap.load(path)
    regions = len(made.regions)
    return figures_of(evaluation) | {
        "regions": regions,
        "width": made.regions[0].head.spec()["width"],
        "megabytes": evaluation.map_bytes / 1e6,
        "surveyed": made.info["surveyed"],
        "views": made.info["views"],
        "steps_each": made.info["steps"] / regions,
        "trusted": 100 * evaluation.localized / evaluation.queries,
        "10cm_5deg": evaluation.recall["10cm_5deg"],
    }


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| " + " | ".join(["", *COLUMNS.values()]) + " |",
        "|---|" + "---:|" * len(COLUMNS),
    ]
    for row in rows:
        figures = ["lost" if row[k] is None else f"{row[k]:.4g}" for k in COLUMNS]
        lines.append("| " + " | ".join([row["kind"], *figures]) + " |")
    return "\n".join(lines) + "\n"


def curve(rows: Sequence[Row], kind: str, measure: str) -> list[tuple[int, float]]:
    """Number of heads and recall of a kind of mapping; one head of 512 is of both kinds."""
    own = [row for row in rows if row["kind"] == kind]
    if kind == FULL and own:
        own += [row for row in rows if row["kind"] == SHARED and row["heads"] == 1]
    return sorted((row["regions"], row[measure]) for row in own)


def plot(rows: Sequence[Row], path: Path, *, title: str) -> None:
    """Recall against the number of heads, a panel for each measure."""
    figure = new_figure(8.2, 3.2)
    figure.patch.set_facecolor("white")
    figure.patch.set_alpha(1)
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    styles = {SHARED: "o-", FULL: "s-", WIDE: "^", AUTO: "*"}
    for axes, (measure, told) in zip(panels, MEASURES.items(), strict=True):
        for (kind, style), color in zip(styles.items(), MAP_COLORS, strict=False):
            points = curve(rows, kind, measure)
            if points:
                size = 9 if kind == AUTO else 4.5
                x, y = zip(*points, strict=True)
                axes.plot(x, y, style, color=color, lw=1.5, ms=size, label=kind)
        for row in rows:
            if row["kind"] == WIDE:
                axes.annotate(
                    f" {row['width']}", (row["regions"], row[measure]), fontsize=7, color=GRAY
                )
        axes.set_xscale("log", base=2)
        ticks = sorted({row["regions"] for row in rows})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(-3, 103)
        axes.grid(axis="y", color=GRAY, alpha=0.25, linewidth=0.6)
        axes.set_xlabel("heads")
        axes.set_title(told)
        plain_axes(axes)
    panels[0].set_ylabel("queries (%)")
    figure.suptitle(title, fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


def run(options: Options) -> None:
    """Measures what is missing."""
    scene = campus_of(options)
    stored = options.out / "campus.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    backbone = load_backbone()
    setting = {
        "scene": scene.name,
        "mapping_frames": len(scene.mapping),
        "limit": options.seconds,
        "clock": "processor" if options.processor_time else "wall",
    }
    with sharing_views(time.process_time if options.processor_time else time.monotonic):
        for variant in variants(options):
            key = setting | variant
            if any(key.items() <= row.items() for row in rows):
                continue
            print(f"{scene.name}: {variant}", file=sys.stderr, flush=True)
            rows.append(key | measured(scene, variant, backbone, options))
            # As a reader of the JSON sees them: infinite errors are null.
            text = json_text({"rows": rows})
            rows = json.loads(text)["rows"]
            write_text(stored, text + "\n")
    shown = [row for row in rows if setting.items() <= row.items()]
    write_text(options.out / "campus.md", table(shown))
    title = (
        f"{len(scene.mapping)} frames of {options.rooms} rooms, {options.seconds:g} s for each map"
    )
    plot(shown, options.out / "campus.svg", title=title)
    print(table(shown))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
