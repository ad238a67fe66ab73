"""Precision of a map against the number and the bits of its landmarks, and with all of it small.

    python benchmarks/landmark_size.py MAP SCENE --queries 60

MAP is one that `reloc map SCENE MAP` made. Its landmarks are reduced as `reloc compress --small`
does, to other numbers and bits, and the queries of the scene are localized with what is left. The
last rows have the heads in few bits as well.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from reloc.backbone import FeatureExtractor
from reloc.cli.console import progress_bar
from reloc.devices import pick_device
from reloc.errors import RelocError, SceneError
from reloc.evaluation.figures import percent_text, threshold_text
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.landmarks.reduction import ReductionOptions, reduced
from reloc.localize import Localizer, Query
from reloc.maps import SceneMap
from reloc.maps.calibration import region_features
from reloc.maps.compress import SMALL_BITS, SMALL_LANDMARKS, compressed
from reloc.progress import Progress
from reloc.sampling import evenly
from reloc.scenes import Scene, open_scene
from reloc.temporary import temporary_folder

# Number, dimensions and bits of the landmarks that are left.
REDUCTIONS = (
    (4000, 32, 6),
    (2000, 32, 6),
    (1000, 32, 6),
    (4000, 24, 6),
    (4000, 24, 4),
    (4000, 16, 4),
    (4000, 24, 3),
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
        device: where the networks run; by default the best there is.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    queries: int = 60
    device: str | None = None


def measured(
    scene_map: SceneMap, scene: Scene, *, device: str | None, progress: Progress
) -> Evaluation:
    """The figures of a map after it was written and read."""
    with temporary_folder() as folder:
        path = folder / "map.safetensors"
        scene_map.save(path)
        size = path.stat().st_size
        localizer = Localizer(SceneMap.load(path), device=device)
    queries = [Query(frame.name, frame.image, frame.camera) for frame in scene.queries]
    estimates = []
    for estimate in localizer.localize_many(queries, workers=1):
        estimates.append(estimate)
        progress("queries", len(estimates), len(queries))
    return evaluate(
        estimates,
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=size,
        mapping_seconds=0,
        unit=scene.unit,
    )


def row(name: str, scene_map: SceneMap, evaluation: Evaluation) -> str:
    """A line of the table."""
    known, heads = scene_map.landmarks, scene_map.regions[0].packed
    record = "–"
    if known is not None:
        count, dimensions = known.descriptors.shape
        record = f"{count} x {dimensions} x {known.bits} bits"
    share = 100 * evaluation.median_translation / evaluation.scene_extent
    recalls = (percent_text(evaluation.recall_of_extent[key]) for key in RECALLS)
    cells = (
        name,
        f"{heads.bits if heads else 16} bits",
        record,
        f"{evaluation.map_bytes / 1e6:.2f} MB",
        f"{share:.3g} %",
        f"{evaluation.median_rotation_deg:.3f}°",
        *recalls,
    )
    return f"| {' | '.join(cells)} |"


def run(options: Options) -> None:
    """Prints a markdown table, a row for each reduction."""
    scene_map, scene = SceneMap.load(options.map), open_scene(options.scene, poses=options.poses)
    if scene_map.landmarks is None or not scene.queries:
        raise SceneError(f"{options.scene}: needs queries, and {options.map} landmarks")
    scene = replace(scene, queries=evenly(scene.queries, options.queries))
    cameras = [(c.world_from_cam, c.camera) for c in scene_map.cameras]
    limits = (threshold_text(key) for key in RECALLS)
    print(f"| map | heads | landmarks | file | position | rotation | {' | '.join(limits)} |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|")
    with progress_bar() as progress:

        def show(name: str, made: SceneMap) -> None:
            found = measured(made, scene, device=options.device, progress=progress)
            print(row(name, made, found), flush=True)

        show("as made", scene_map)
        show("heads alone", replace(scene_map, landmarks=None))
        for reduction in REDUCTIONS:
            wanted = ReductionOptions(*reduction)
            left = reduced(scene_map.landmarks, cameras, options=wanted)
            show("fewer", replace(scene_map, landmarks=left))
        extractor = FeatureExtractor(
            scene_map.serving_backbone(), device=pick_device(options.device)
        )
        features = region_features(scene_map, scene.mapping, extractor, progress=progress)
        for bits in (4, SMALL_BITS):
            small = compressed(scene_map, bits=bits, features=features, landmarks=SMALL_LANDMARKS)
            show("small" if bits == SMALL_BITS else "", small)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
