"""Time of a query by stage, one query at a time, from the file to the pose.

    python benchmarks/query_time.py MAP SCENE --poses poses_sfm.txt --threads 2

Each query is localized twice, one after the other: as it is, so that neither the network nor heads
run where landmarks are sure, and with heads always. A stage that did not run took no time.

The accuracy benchmark localizes as users with many images do, with reading and solving beside the
network. Here nothing overlaps, so that the stages add up to what one query takes. Only where heads
look always are keypoints found beside the network: ``landmarks`` is what is left of them then, and
the matching.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro
from accuracy import count_processor_time

from reloc.backbone import load_backbone
from reloc.errors import RelocError, SceneError
from reloc.localize import Localizer, Query
from reloc.maps.scene_map import SceneMap
from reloc.scenes import open_scene

STAGES = ("read", "keypoints", "landmarks", "backbone", "head", "pose")
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
        processor: time of the processor, all threads together: for a machine that others use.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    query: Path | None = None
    poses: Path | None = None
    backbone: Path | None = None
    device: str | None = None
    threads: int | None = None
    limit: int = 100
    processor: bool = False


def stage_times(
    localizers: Sequence[Localizer], queries: Sequence[Query]
) -> list[dict[str, list[float]]]:
    """For each localizer seconds of each query by stage, ``total`` from the call to the answer.

    Queries that cannot be read are left out.
    """
    times: list[dict[str, list[float]]] = [
        {stage: [] for stage in (*STAGES, "total")} for _ in localizers
    ]
    for query in queries[:WARM_UP]:
        for localizer in localizers:
            list(localizer.localize_many([query], workers=1))
    for query in queries:
        for localizer, measured in zip(localizers, times, strict=True):
            began = time.perf_counter()
            (estimate,) = localizer.localize_many([query], workers=1)
            total = time.perf_counter() - began
            if estimate.seconds:
                for stage in STAGES:
                    measured[stage].append(estimate.seconds.get(stage, 0.0))
                measured["total"].append(total)
    return times


def run(options: Options) -> None:
    """Times the queries and prints a markdown table."""
    if options.processor:
        count_processor_time()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    scene = open_scene(options.scene, query=options.query, poses=options.poses)
    frames = scene.queries
    if len(frames) > options.limit:
        chosen = np.linspace(0, len(frames) - 1, options.limit).round().astype(int)
        frames = tuple(frames[i] for i in chosen)
    scene_map, backbone = SceneMap.load(options.map), load_backbone(options.backbone)
    first, always = (
        Localizer(scene_map, backbone, device=options.device, heads_always=heads_always)
        for heads_always in (False, True)
    )
    queries = [Query(f.name, f.image, f.camera) for f in frames]
    times, with_heads = stage_times((first, always), queries)
    if not times["total"]:
        raise SceneError(f"{options.scene}: no query that can be read; name some with --query")
    size = f"{frames[0].camera.width}x{frames[0].camera.height}"
    alone = sum(seconds == 0 for seconds in times["backbone"])
    print(
        f"{len(times['total'])} queries of {size}, short side {scene_map.short_side}, "
        f"{first.device.type}, {torch.get_num_threads()} threads; landmarks alone were sure of "
        f"{alone}\n"
    )
    print("| stage | median | 90 % within | heads always: median | 90 % within |")
    print("|---|---:|---:|---:|---:|")
    for stage, seconds in times.items():
        both = (*np.quantile(seconds, (0.5, 0.9)), *np.quantile(with_heads[stage], (0.5, 0.9)))
        print(f"| {stage} | {' | '.join(f'{1e3 * value:.1f} ms' for value in both)} |")


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
