"""Time of a query by stage, one query at a time, from the file to the pose.

    python benchmarks/query_time.py MAP SCENE --poses poses_sfm.txt --threads 2

The accuracy benchmark localizes as users with many images do, with reading and solving beside the
network. Here nothing overlaps but keypoints, which are found beside the network, so that the stages
add up to what one query takes; ``landmarks`` is what is left of them then, and the matching.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro

from reloc.backbone import load_backbone
from reloc.errors import RelocError, SceneError
from reloc.localize import Localizer, Query
from reloc.maps.scene_map import SceneMap
from reloc.scenes import open_scene

STAGES = ("read", "backbone", "head", "pose")
# Queries before the clock runs: kernels are chosen and memory is fetched in the first ones.
WARM_UP = 3


@dataclass(frozen=True)
class Options:
    """What to time.

    Attributes:
        map: a map file.
        scene: the folder of the scene, whose queries are localized.
        query: a query list, where the scene's own split is not wanted.
        poses: a pose set, where it brings other cameras than the scene.
        backbone: a backbone file; by default the shipped one.
        device: where the networks run; by default the best there is.
        threads: of PyTorch and OpenCV; by default as many as they choose.
        limit: of the number of queries, evenly spaced over all.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    query: Path | None = None
    poses: Path | None = None
    backbone: Path | None = None
    device: str | None = None
    threads: int | None = None
    limit: int = 100


def stage_times(localizer: Localizer, queries: list[Query]) -> dict[str, list[float]]:
    """Seconds of each query by stage, and under ``total`` from the call to the answer.

    Queries that cannot be read are left out.
    """
    stages = STAGES if localizer.place.landmarks is None else (*STAGES, "landmarks")
    times: dict[str, list[float]] = {stage: [] for stage in (*stages, "total")}
    for query in queries[:WARM_UP]:
        list(localizer.localize_many([query], workers=1))
    for query in queries:
        began = time.perf_counter()
        (estimate,) = localizer.localize_many([query], workers=1)
        total = time.perf_counter() - began
        if set(stages) <= set(estimate.seconds):
            for stage in stages:
                times[stage].append(estimate.seconds[stage])
            times["total"].append(total)
    return times


def run(options: Options) -> None:
    """Times the queries and prints a markdown table."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    scene = open_scene(options.scene, query=options.query, poses=options.poses)
    frames = scene.queries
    if len(frames) > options.limit:
        chosen = np.linspace(0, len(frames) - 1, options.limit).round().astype(int)
        frames = tuple(frames[i] for i in chosen)
    localizer = Localizer(
        SceneMap.load(options.map), load_backbone(options.backbone), device=options.device
    )
    times = stage_times(localizer, [Query(f.name, f.image, f.camera) for f in frames])
    if not times["total"]:
        raise SceneError(f"{options.scene}: no query that can be read; name some with --query")
    whole = float(np.median(times["total"]))
    size = f"{frames[0].camera.width}x{frames[0].camera.height}"
    print(
        f"{len(times['total'])} queries of {size}, short side {localizer.map.short_side}, "
        f"{localizer.device.type}, {torch.get_num_threads()} threads\n"
    )
    print("| stage | median | 90 % within | share of the total |")
    print("|---|---:|---:|---:|")
    for stage, seconds in times.items():
        middle, most = np.quantile(seconds, (0.5, 0.9))
        print(f"| {stage} | {1e3 * middle:.1f} ms | {1e3 * most:.1f} ms | {middle / whole:.0%} |")


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
