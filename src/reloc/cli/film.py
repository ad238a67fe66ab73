"""``reloc film``: a place and how its queries find into it, as a film."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.cli.console import console
from reloc.cli.eval_ import localize_frames
from reloc.cli.options import ComputeOptions, File, ProgressOptions, SceneOptions
from reloc.cli.pairs import check_map_first, warn_of_other_scene
from reloc.errors import OptionError, SceneError
from reloc.evaluation import evaluate
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.progress import Progress
from reloc.reconstruct.point_cloud import map_point_cloud
from reloc.scenes.scene import Scene, posed
from reloc.view.film import (
    Recording,
    check_film_path,
    film_frames,
    read_training_history,
    write_film,
)

MAX_HEIGHT = 2160
FILM_POINTS = 200_000  # as many as close their surfaces at the size of a picture


def film(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="FILM")],
    /,
    *,
    growth: File = None,
    height: int = 720,
    frames: SceneOptions = SceneOptions(),
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Film a finished map: its points appear, then the queries find their place.

    How the map grew out of noise is seen only while it is made. `reloc map --film` films that at
    once, `reloc map --growth` keeps it for this verb.

    Args:
        map: A map made by `reloc map`.
        scene: Folder of the scene that it was made from.
        out: Film to write: .mp4, .gif, or a new folder of PNG pictures.
        growth: What `reloc map --growth` kept of the mapping: films that first.
        height: Of the picture in pixels; it is 16:9.
    """
    check_map_first("film", map, scene, usage="MAP SCENE FILM")
    check_film_path(out)
    if not 90 <= height <= MAX_HEIGHT:
        raise OptionError(f"the height of a film is 90 to {MAX_HEIGHT} pixels, not {height}")
    scene_map = SceneMap.load(map)
    found = frames.open(scene)
    warn_of_other_scene(map, scene_map, found)
    recording = None if growth is None else read_training_history(growth)
    if recording is not None:
        recording.check_frames(found.mapping)
    localizer = Localizer(scene_map, compute.backbone, device=compute.device)
    with log.shown() as progress:
        make_film(out, localizer, found, recording=recording, height=height, progress=progress)
    size = f", {out.stat().st_size / 1e6:.1f} MB" if out.is_file() else ""
    console().print(f"{out}: filmed{size}", markup=False)


def make_film(
    out: Path,
    localizer: Localizer,
    scene: Scene,
    *,
    recording: Recording | None = None,
    height: int = 720,
    progress: Progress,
) -> None:
    """Localizes the queries, if there are any, and writes the film.

    Raises:
        SceneError: no mapping frame has a pose.
        OutputError: the film cannot be written.
    """
    if not posed(scene.mapping):
        raise SceneError(f"{scene.root}: no mapping frame has a pose, so there is nothing to film")
    cloud = map_point_cloud(localizer, scene.mapping, max_points=FILM_POINTS, progress=progress)
    queries = posed(scene.queries)
    evaluation = None
    if queries:
        evaluation = evaluate(
            localize_frames(localizer, queries, progress=progress),
            queries,
            scene_extent=localizer.map.extent,
            map_bytes=0,
            mapping_seconds=localizer.map.seconds,
            unit=localizer.map.unit,
            scene_name=scene.name,
        )
    pictures = film_frames(
        title=scene.name,
        mapping=scene.mapping,
        cloud=cloud,
        recording=recording,
        evaluation=evaluation,
        queries=queries,
        landmarks=localizer.map.landmarks,
        size=(round(height * 8 / 9) * 2, height // 2 * 2),
        progress=progress,
    )
    write_film(out, pictures)
