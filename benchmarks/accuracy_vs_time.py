"""Accuracy against mapping time, for ACE's way of mapping and for DSAC*.

    python benchmarks/accuracy_vs_time.py SCENE --poses poses_sfm.txt --seconds 15 30 60 --out OUT

Every finished map becomes a file OUT/<scene>-<method>-<seconds>.json, and OUT/<scene>.svg and
OUT/<scene>.md are made anew from all of them. The same command goes on where it stopped, and
several may work into one folder.

On a machine that has other work to do, ``--clock processor`` counts seconds of one processor core
in place of those on the wall, for the time limits and in the results.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import torch
import tyro
from depth_queries import pose_errors

from reloc.backbone import Backbone, load_backbone
from reloc.cli.console import progress_bar
from reloc.cli.eval_ import localize_frames
from reloc.errors import RelocError, SceneError
from reloc.files import atomic_path, json_text, write_text
from reloc.localize import Localizer
from reloc.methods.ace import MappingOptions, MappingResult, map_scene
from reloc.methods.dsacstar import DsacStarOptions, Supervision, map_scene_dsacstar
from reloc.progress import Progress
from reloc.scenes import Scene, open_scene
from reloc.view.style import GRAY, MAP_COLORS, new_figure, plain_axes

Method = Literal["ace", "dsacstar-rgb", "dsacstar-depth", "dsacstar-rgbd"]
Row = dict[str, Any]

NAMES: dict[str, str] = {
    "ace": "ACE (reloc map)",
    "dsacstar-rgb": "DSAC*, poses alone",
    "dsacstar-depth": "DSAC*, depth in mapping",
    "dsacstar-rgbd": "DSAC*, depth in mapping and queries",
}
QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scene: its folder.
        poses: a pose set, where it brings other cameras than the scene.
        seconds: time limits of mapping.
        methods: which ways of mapping; ``dsacstar-rgbd`` takes queries with depth.
        every: takes every nth query.
        learning_rate: of DSAC*'s first stage.
        short_side: of DSAC*'s images in pixels; a third of it is nine times the steps.
        seed: of everything random.
        clock: whose seconds count; see above.
        threads: of PyTorch; by default as many as it chooses, with the processor's clock one.
        device: where the networks run; by default the best there is.
        out: folder for results.
    """

    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    seconds: tuple[float, ...] = (15, 30, 60, 120)
    methods: tuple[Method, ...] = ("ace", "dsacstar-rgb", "dsacstar-depth")
    every: int = 5
    learning_rate: float = DsacStarOptions.learning_rate
    short_side: int = DsacStarOptions.short_side
    seed: int = 0
    clock: Literal["wall", "processor"] = "wall"
    threads: int | None = None
    device: str | None = None
    out: Path = Path("accuracy-vs-time")


def run(options: Options) -> None:
    """Maps and localizes what has not been measured yet, then draws all there is."""
    threads = 1 if options.clock == "processor" else options.threads
    if threads is not None:
        torch.set_num_threads(threads)
    scene = open_scene(options.scene, poses=options.poses)
    scene = replace(scene, queries=scene.queries[:: options.every])
    if not scene.queries:
        raise SceneError(f"{options.scene}: has no queries; name another scene")
    backbone = load_backbone()
    options.out.mkdir(parents=True, exist_ok=True)
    for seconds in options.seconds:
        for method in options.methods:
            path = options.out / f"{scene.name}-{method}-{seconds:g}.json"
            if path.exists():
                continue
            with progress_bar() as progress, counting(options.clock):
                began = time.monotonic()
                made = mapped(scene, backbone, method, seconds, options, progress)
                took = time.monotonic() - began
            with progress_bar() as progress:
                row = measured(made, scene, backbone, method, options, progress)
            row |= {"method": method, "limit": seconds, "seconds": round(took, 2)}
            write_text(path, json_text(row) + "\n")
    rows = stored_rows(options.out, scene.name)
    write_text(options.out / f"{scene.name}.md", table(rows))
    plot(rows, options.out / f"{scene.name}.svg", title=scene.name)


def counting(clock: str) -> contextlib.AbstractContextManager[Any]:
    """Where a time limit is kept by the clock that was asked for."""
    if clock == "wall":
        return contextlib.nullcontext()
    return mock.patch("time.monotonic", time.process_time)


def mapped(
    scene: Scene,
    backbone: Backbone,
    method: Method,
    seconds: float,
    options: Options,
    progress: Progress,
) -> MappingResult:
    """A map of the scene within the time."""
    if method == "ace":
        return map_scene(
            scene,
            backbone,
            options=MappingOptions(time_limit=seconds, seed=options.seed),
            device=options.device,
            progress=progress,
        )
    supervision: dict[str, Supervision] = {"rgb": "rgb", "depth": "depth", "rgbd": "rgbd"}
    return map_scene_dsacstar(
        scene,
        backbone,
        options=DsacStarOptions(
            supervision=supervision[method.removeprefix("dsacstar-")],
            time_limit=seconds,
            learning_rate=options.learning_rate,
            short_side=options.short_side,
            seed=options.seed,
        ),
        device=options.device,
        progress=progress,
    )


def measured(
    made: MappingResult,
    scene: Scene,
    backbone: Backbone,
    method: Method,
    options: Options,
    progress: Progress,
) -> Row:
    """How well the map localizes the queries; of ``dsacstar-rgbd`` those that have depth."""
    with_depth = method == "dsacstar-rgbd"
    frames = [f for f in scene.queries if f.depth is not None or not with_depth]
    if not frames:
        raise SceneError(f"{options.scene}: no query has depth, which {method} needs")
    localizer = Localizer(made.scene_map, backbone, device=options.device)
    estimates = localize_frames(localizer, frames, depth=with_depth, progress=progress)
    translations, rotations = pose_errors(estimates, frames).T
    low, middle, high = np.quantile(translations, QUANTILES, method="nearest").tolist()
    return {
        "scene": scene.name,
        "unit": scene.unit,
        "extent": scene.extent(),
        "queries": len(frames),
        "trusted": sum(estimate.localized for estimate in estimates),
        "median": middle,
        "quartiles": [low, high],
        "median_deg": float(np.median(rotations)),
        "recall_5cm_5deg": 100 * float(((translations <= 0.05) & (rotations <= 5)).mean()),
        "short_side": made.scene_map.short_side,
        "steps": made.scene_map.info["steps"],
        "median_error_px": made.scene_map.info["median_error_px"],
        "clock": options.clock,
        "errors": [translations.tolist(), rotations.tolist()],
    }


def stored_rows(folder: Path, scene: str) -> list[Row]:
    """All results of a scene, by method and time."""
    names = re.compile(rf"{re.escape(scene)}-({'|'.join(NAMES)})-[^-]+\.json")
    rows = [json.loads(p.read_text()) for p in folder.iterdir() if names.fullmatch(p.name)]
    return sorted(rows, key=lambda row: (list(NAMES).index(row["method"]), row["limit"]))


def _lengths(rows: Sequence[Row]) -> tuple[Callable[[Row, float], float], str]:
    """How lengths are told, in centimetres or else as a share of the extent, and its name."""
    if all(row["unit"] == "metre" for row in rows):
        return lambda row, length: 100 * length, "cm"
    return lambda row, length: 100 * length / row["extent"], "% of extent"


def table(rows: Sequence[Row]) -> str:
    """Results as a table in markdown."""
    told, unit = _lengths(rows)
    lines = [
        f"| method | limit | mapping | steps | median {unit} | quartiles | median deg | 5 cm, 5° |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        low, high = (f"{told(row, value or np.inf):.3g}" for value in row["quartiles"])
        lines.append(
            f"| {NAMES[row['method']]} | {row['limit']:g} s | {row['seconds']:.0f} s | "
            f"{row['steps']} | {told(row, row['median'] or np.inf):.3g} | {low} to {high} | "
            f"{row['median_deg'] or np.inf:.2f} | {row['recall_5cm_5deg']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Row], path: Path, *, title: str) -> None:
    """Median error, with its quartiles, against mapping time, both on logarithmic axes."""
    told, unit = _lengths(rows)
    figure = new_figure(5.2, 3.4)
    figure.patch.set_facecolor("white")
    figure.patch.set_alpha(1)
    axes = figure.subplots()
    for (method, name), color in zip(NAMES.items(), MAP_COLORS, strict=False):
        own = [row for row in rows if row["method"] == method and row["median"] is not None]
        if not own:
            continue
        seconds = [row["seconds"] for row in own]
        low, high = (
            [told(row, row["quartiles"][side] or row["median"]) for row in own] for side in (0, 1)
        )
        axes.fill_between(seconds, low, high, color=color, alpha=0.15, linewidth=0)
        medians = [told(row, row["median"]) for row in own]
        axes.plot(seconds, medians, "o-", color=color, lw=1.5, ms=3.5, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({row["limit"] for row in rows})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y", color=GRAY, alpha=0.25, linewidth=0.6)
    clock = "processor" if any(row["clock"] == "processor" for row in rows) else "wall"
    axes.set_xlabel(f"mapping time (s, {clock} clock)")
    axes.set_ylabel(f"median position error ({unit})")
    axes.set_title(title)
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
