"""Precision of landmarks against their number and their bits.

    python benchmarks/landmark_size.py MAP SCENE --queries 60

MAP is one that `reloc map SCENE MAP` made. Its landmarks are reduced as `reloc compress --small`
does, to other numbers and bits, and the queries of the scene are localized by what is left of them
alone: no head has a say.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from reloc.errors import RelocError, SceneError
from reloc.evaluation.figures import percent_text, threshold_text
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.images.files import read_image
from reloc.landmarks import Landmarks
from reloc.landmarks.keypoints import Keypoints, detect_keypoints
from reloc.landmarks.reduction import ReductionOptions, reduced
from reloc.localize import Estimate
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.maps import SceneMap
from reloc.maps.landmark_tensors import landmark_tensors
from reloc.sampling import evenly
from reloc.scenes import open_scene
from reloc.scenes.scene import Frame

# Number, dimensions and bits of the landmarks that are left.
REDUCTIONS = (
    (10_000, 32, 6),
    (4000, 32, 6),
    (2000, 32, 6),
    (1000, 32, 6),
    (4000, 24, 6),
    (4000, 24, 4),
    (4000, 24, 3),
    (4000, 16, 4),
)
RECALLS = ("0.1%_0.1deg", "1%_2deg", "3%_5deg")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        map: a map with landmarks.
        scene: the folder of its scene, whose queries are localized.
        poses: a pose set, where it brings other poses than the scene.
        queries: that are localized, evenly spaced over all.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    queries: int = 60


def measured(
    landmarks: Landmarks, frames: Sequence[Frame], keypoints: Sequence[Keypoints], extent: float
) -> Evaluation:
    """The figures of queries that are localized by landmarks alone."""
    solver = LandmarkSolver(landmarks)
    estimates = []
    for frame, seen in zip(frames, keypoints, strict=True):
        found = solver.solve(seen, frame.camera, None)
        pose = None if found is None else found.world_from_cam
        sure = found is not None and found.confidence >= 0.5
        estimates.append(Estimate(frame.name, localized=sure, world_from_cam=pose))
    return evaluate(estimates, frames, scene_extent=extent, map_bytes=0, mapping_seconds=0)


def bytes_of(landmarks: Landmarks, scene_map: SceneMap) -> int:
    """What landmarks take in the file of the map."""
    tensors = landmark_tensors(landmarks, origin=scene_map.origin, scale=scene_map.scale)
    return sum(tensor.nbytes for tensor in tensors.values())


def run(options: Options) -> None:
    """Prints a markdown table, a row for each reduction."""
    scene_map, scene = SceneMap.load(options.map), open_scene(options.scene, poses=options.poses)
    if scene_map.landmarks is None or not scene.queries:
        raise SceneError(f"{options.scene}: needs queries, and {options.map} landmarks")
    frames = evenly(scene.queries, options.queries)
    keypoints = [detect_keypoints(read_image(frame.image, gray=True)) for frame in frames]
    cameras = [(c.world_from_cam, c.camera) for c in scene_map.cameras]
    limits = (threshold_text(key) for key in RECALLS)
    print(f"| landmarks | numbers | bits | bytes | position | rotation | {' | '.join(limits)} |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for reduction in REDUCTIONS:
        left = reduced(scene_map.landmarks, cameras, options=ReductionOptions(*reduction))
        found = measured(left, frames, keypoints, scene.extent())
        count, dimensions = left.descriptors.shape
        cells = (
            f"{count}",
            f"{dimensions}",
            f"{left.bits}",
            f"{bytes_of(left, scene_map) / 1e3:.0f} kB",
            f"{100 * found.median_translation / found.scene_extent:.3f} %",
            f"{found.median_rotation_deg:.3f}°",
            *(percent_text(found.recall_of_extent[key]) for key in RECALLS),
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
