"""Time of a query and memory against the number of heads in a map.

    python benchmarks/heads.py MAP SCENE --threads 1

The heads of the map are hidden among others of their size with random weights. Every region has as
many views as a map of so many heads keeps: those of the map's own are a sample of their real ones,
and find them; the others are random and look like no place, so the table is about time and not
about finding. Beside it, up to ``--one-by-one`` heads, the plain way: every head sees the whole
image, every one gets a search for the pose. Times are those of the processor, so that other work on
the machine does not count; on a GPU they are wall times.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from reloc.backbone import load_backbone
from reloc.errors import OptionError, RelocError, SceneError
from reloc.heads import build_head
from reloc.localize import Localizer, Query, RankingOptions
from reloc.localize.query import PreparedQuery
from reloc.maps import Region, SceneMap
from reloc.methods.ace.options import views_of_head
from reloc.sampling import even_picks
from reloc.scenes import open_scene

REPEATS = 3


@dataclass(frozen=True)
class Options:
    """What to time.

    Attributes:
        map: a map of any number of heads.
        scene: the folder of its scene, whose queries are localized.
        poses: a pose set, where it brings other cameras than the scene.
        counts: of heads, no fewer than the map has.
        one_by_one: most heads for which the plain way is timed.
        queries: that are timed, evenly spaced over all.
        device: where the networks run; by default the best there is.
        threads: of PyTorch; by default as many as it chooses.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    counts: tuple[int, ...] = (4, 16, 64, 256, 1024)
    one_by_one: int = 16
    queries: int = 10
    device: str | None = None
    threads: int | None = None


def crowded(scene_map: SceneMap, count: int) -> SceneMap:
    """The map with its heads spread among ``count``, all others random."""
    own = scene_map.regions
    if count < len(own):
        raise OptionError(f"counts must not be less than {len(own)}, the heads of the map")
    first = own[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        spec = {"kind": first.head.kind, **first.head.spec()}
        other = build_head(spec, scale=first.scale, weights=1 << 40).requires_grad_(False)
    rng = np.random.default_rng(0)
    most = views_of_head(count)
    shape = (count, most, first.views.shape[1] if len(first.views) else 1176)
    views = rng.normal(0, 29, shape).clip(-127, 127).astype(np.int8)
    # One random head stands for all: batches copy it, so time and memory are those of as many.
    regions = [Region(other, first.origin, first.frames, views[n]) for n in range(count)]
    for number, region in enumerate(own):
        rows = even_picks(len(region.views), most)
        regions[(2 * number + 1) * count // (2 * len(own))] = replace(
            region, views=region.views[rows]
        )
    return replace(scene_map, regions=tuple(regions))


def stage_seconds(
    localizer: Localizer,
    queries: list[PreparedQuery],
    clock: Callable[[], float],
    *,
    everyone: bool = False,
) -> dict[str, float]:
    """Median seconds by stage over the queries; the share that is localized as ``localized``.

    Heads are ranked first, unless ``everyone`` is asked.
    """
    place = localizer.place
    regions = range(len(localizer.map.regions))
    rows = []
    for query in queries * REPEATS:
        marks = [clock()]
        features = localizer.extractor(query.view.image)
        marks.append(clock())
        if everyone:
            candidates = place.seen(features, regions, query)
        else:
            candidates = place.candidates(features, query)
        marks.append(clock())
        estimate = place.estimate(query, candidates, {})
        marks.append(clock())
        rows.append([*np.diff(marks), estimate.localized])
    table = np.array(rows, float)
    middle = np.median(table[:, :3], axis=0)
    names = ("backbone", "heads", "pose")
    return dict(zip(names, middle.tolist(), strict=True)) | {"localized": table[:, 3].mean()}


def _clock(device: torch.device) -> Callable[[], float]:
    if device.type == "cpu":
        return time.process_time

    def synchronized() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronized


def run(options: Options) -> None:
    """Prints a markdown table, a row for each number of heads."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    scene_map, backbone = SceneMap.load(options.map), load_backbone()
    scene = open_scene(options.scene, poses=options.poses)
    if not scene.queries:
        raise SceneError(f"{options.scene}: has no queries; name another scene")
    picks = np.linspace(0, len(scene.queries) - 1, options.queries).astype(int)
    frames = [scene.queries[i] for i in picks]
    # Nobody is ever sure enough to spare the heads that are left.
    plain = RankingOptions(sure=math.inf)
    print("| heads | memory | backbone | heads | pose | total | localized | one by one |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for count in options.counts:
        many = crowded(scene_map, count)
        localizer = Localizer(many, backbone, device=options.device)
        queries = [localizer._likeliest(Query(f.name, f.image, f.camera)) for f in frames]
        clock = _clock(localizer.device)
        seconds = stage_seconds(localizer, queries, clock)
        total = sum(seconds[stage] for stage in ("backbone", "heads", "pose"))
        size = sum(region.views.nbytes for region in many.regions)
        size += localizer.extractor.dtype.itemsize * sum(
            p.numel() for region in many.regions for p in region.head.parameters()
        )
        slow = "–"
        if count <= options.one_by_one:
            reference = Localizer(many, backbone, device=options.device, ranking=plain)
            each = stage_seconds(reference, queries, clock, everyone=True)
            slow = f"{1e3 * sum(each[s] for s in ('backbone', 'heads', 'pose')):.0f} ms"
        times = " | ".join(f"{1e3 * seconds[s]:.0f} ms" for s in ("backbone", "heads", "pose"))
        print(
            f"| {count} | {size / 1e6:.0f} MB | {times} | {1e3 * total:.0f} ms | "
            f"{seconds['localized']:.0%} | {slow} |",
            flush=True,
        )


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
