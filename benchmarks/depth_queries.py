"""What measured depth adds to a query: the same queries with and without it.

    python benchmarks/depth_queries.py MAP SCENE --poses poses_sfm.txt

Only queries that have depth are counted.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from reloc.backbone import load_backbone
from reloc.cli.eval_ import localize_frames
from reloc.errors import RelocError, SceneError
from reloc.geometry import pose_error
from reloc.localize import Estimate, Localizer
from reloc.localize.pairing import paired
from reloc.maps import SceneMap
from reloc.progress import silent
from reloc.scenes import open_scene
from reloc.scenes.scene import Frame


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        map: a map file.
        scene: the folder of the scene, whose queries are localized.
        query: a query list, where the scene's own split is not wanted.
        poses: a pose set, where it brings other cameras than the scene.
        device: where the networks run; by default the best there is.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    query: Path | None = None
    poses: Path | None = None
    device: str | None = None


def run(options: Options) -> None:
    """Localizes twice and prints a markdown table."""
    scene_map = SceneMap.load(options.map)
    scene = open_scene(options.scene, query=options.query, poses=options.poses)
    frames = [frame for frame in scene.queries if frame.depth is not None]
    if not frames:
        raise SceneError(f"{options.scene}: no query has depth that can be used")
    localizer = Localizer(scene_map, load_backbone(), device=options.device)
    print(f"{len(frames)} queries with depth\n")
    print("| | median | quartiles | median deg |")
    print("|---|---:|---:|---:|")
    for name, depth in (("image", False), ("image and depth", True)):
        estimates = localize_frames(localizer, frames, depth=depth, progress=silent)
        print(f"| {name} | {figures(estimates, frames)} |")


def figures(estimates: Sequence[Estimate], frames: Sequence[Frame]) -> str:
    """Median and quartiles of the position error, and the median angle."""
    translations, rotations = pose_errors(estimates, frames).T
    low, middle, high = np.quantile(translations, (0.25, 0.5, 0.75), method="nearest")
    return f"{middle:.4f} | {low:.4f} to {high:.4f} | {np.median(rotations):.3f}"


def pose_errors(estimates: Sequence[Estimate], frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Errors (N, 2) of position, in scene units, and of angle, in degrees.

    Every pose counts, also one that is not to be trusted; no pose counts as infinitely far.
    """
    errors = []
    for frame, estimate in paired(estimates, frames):
        found = estimate.world_from_cam if estimate is not None else None
        true = frame.world_from_cam
        if found is None or true is None:
            errors.append((np.inf, np.inf))
        else:
            errors.append(pose_error(found, true))
    return np.array(errors)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
