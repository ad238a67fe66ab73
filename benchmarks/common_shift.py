"""How much of the error of queries is one shift common to all, and do mapping frames have it?

    python benchmarks/common_shift.py MAP [MAP ...] --scene SCENE --poses poses_sfm.txt

A shift of all queries and of no mapping frame lies between their poses, where no training of a map
can see it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from reloc.cli.eval_ import localize_frames
from reloc.errors import MapError, RelocError
from reloc.localize import Localizer
from reloc.localize.estimate import Estimate
from reloc.maps import SceneMap
from reloc.progress import silent
from reloc.sampling import evenly
from reloc.scenes import Frame, open_scene, posed

Array = NDArray[np.float64]

# Of the extent: what is further off is another kind of error.
GROSS = 0.05


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        maps: files of maps of one scene.
        scene: its folder.
        poses: a pose set, where the maps were made with other poses than the scene's own.
        queries: at most, evenly spaced.
        frames: mapping frames likewise.
    """

    maps: tyro.conf.Positional[tuple[Path, ...]]
    scene: Path
    poses: Path | None = None
    queries: int = 100
    frames: int = 60


def displacements(frames: Sequence[Frame], estimates: Sequence[Estimate]) -> Array:
    """Where cameras were found, from where they stood and in their own axes: (N, 3), without those
    that were not found."""
    return np.array(
        [
            frame.world_from_cam[:3, :3].T
            @ (estimate.world_from_cam[:3, 3] - frame.world_from_cam[:3, 3])
            for frame, estimate in zip(frames, estimates, strict=True)
            if frame.world_from_cam is not None and estimate.world_from_cam is not None
        ]
    ).reshape(-1, 3)


def parted(errors: Array, *, gross: float) -> tuple[float, float, Array]:
    """Median length of errors (N, 3), that of what is left without their shift, and the shift (3,).

    Args:
        errors: at least one of them less than gross.
        gross: errors of this length and more are left out.
    """
    errors = errors[np.linalg.norm(errors, axis=1) < gross]
    shift = np.median(errors, axis=0)
    whole, rest = (np.linalg.norm(e, axis=1) for e in (errors, errors - shift))
    return float(np.median(whole)), float(np.median(rest)), shift


def run(options: Options) -> None:
    """Localizes and prints a markdown table."""
    scene = open_scene(options.scene, poses=options.poses)
    metric = scene.unit == "metre"
    unit, told = (0.01, "cm") if metric else (0.01 * scene.extent(), "% of extent")
    print(f"| map | frames | median, {told} | without the shift | shift right, down, ahead |")
    print("|---|---|---:|---:|---:|")
    for path in options.maps:
        made = SceneMap.load(path)
        localizer = Localizer(made)
        kinds = (("queries", scene.queries, options.queries),
                 ("mapping", scene.mapping, options.frames))  # fmt: skip
        for kind, frames, most in kinds:
            chosen = evenly(posed(frames), most)
            found = displacements(chosen, localize_frames(localizer, chosen, progress=silent))
            if not (np.linalg.norm(found, axis=1) < GROSS * scene.extent()).any():
                raise MapError(f"{path}: finds none of the {kind}; map the scene for longer")
            whole, rest, shift = parted(found, gross=GROSS * scene.extent())
            axes = ", ".join(f"{x:.2f}" for x in shift / unit)
            print(f"| {path.stem} | {kind} | {whole / unit:.2f} | {rest / unit:.2f} | {axes} |")


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
