"""``reloc eval``: how well a map localizes the queries of a scene."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.options import ComputeOptions, File, ProgressOptions, SceneOptions
from reloc.cli.pairs import check_map_first, warn_of_other_scene
from reloc.errors import ImageError, SceneError
from reloc.evaluation import Evaluation, evaluate, evaluation_table, worst_frames, write_evaluation
from reloc.evaluation.quality import quality_text
from reloc.files import check_writable
from reloc.images.files import read_image
from reloc.localize import Estimate, Localizer, Query
from reloc.maps import SceneMap
from reloc.progress import Progress
from reloc.reconstruct.point_cloud import map_point_cloud
from reloc.scenes.scene import Frame, Scene, posed
from reloc.view.points import render_points
from reloc.view.report import WorstFrame, write_report

WORST = 6
PICTURE_WIDTH = 480


def eval_(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    /,
    *,
    depth: bool = False,
    json: File = None,
    report: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None,
    frames: SceneOptions = SceneOptions(),
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Localize a scene's queries and measure the errors against their known poses.

    Args:
        map: A map made by `reloc map`.
        scene: Folder of the scene, in any of the layouts that reloc reads.
        depth: Use the measured depth of those queries that have some.
        json: Write all figures, and those of every frame, to this file.
        report: Write a page with plots and the worst frames to this folder.
    """
    check_map_first("eval", map, scene, usage="MAP SCENE")
    if json is not None:
        check_writable(json)
    if report is not None:
        check_writable(report / "index.html")
    scene_map = SceneMap.load(map)
    found = frames.open(scene)
    if not found.queries:
        raise SceneError(
            f"{scene}: has no queries; name them with --query FILE, one image path per line"
        )
    if not posed(found.queries):
        raise SceneError(
            f"{scene}: none of the {len(found.queries)} queries has a pose to compare with; "
            "say with --poses FILE where they were taken"
        )
    if depth and all(frame.depth is None for frame in found.queries):
        raise SceneError(f"{scene}: no query has depth that can be used; evaluate without --depth")
    warn_of_other_scene(map, scene_map, found)
    localizer = Localizer(scene_map, compute.backbone, device=compute.device)
    with log.shown() as progress:
        estimates = localize_frames(localizer, found.queries, depth=depth, progress=progress)
        evaluation = evaluate(
            estimates,
            found.queries,
            scene_extent=scene_map.extent,
            map_bytes=map.stat().st_size,
            mapping_seconds=scene_map.seconds,
            unit=scene_map.unit,
            scene_name=found.name,
            map_name=map.name,
        )
        if scene_map.held_back is not None:
            told = f"in mapping {quality_text(scene_map)}"
            evaluation = replace(evaluation, notes=(*evaluation.notes, told))
        if json is not None:
            write_evaluation(json, evaluation)
        if report is not None:
            worst = picture_worst(localizer, found, evaluation, estimates, progress=progress)
            write_report(report / "index.html", evaluation, mapping=found.mapping, worst=worst)
    screen = console()
    screen.print(evaluation_table([evaluation]))
    for note in found.notes:
        screen.print(f"note: {note}", markup=False)
    if report is not None:
        screen.print(f"report: {report / 'index.html'}", markup=False)


def localize_frames(
    localizer: Localizer, frames: Sequence[Frame], *, depth: bool = False, progress: Progress
) -> list[Estimate]:
    """Estimates of frames by their images, cameras and, if wanted, depth, but not their poses."""
    queries = (
        Query(frame.name, frame.image, frame.camera, frame.depth if depth else None)
        for frame in frames
    )
    estimates = []
    for estimate in localizer.localize_many(queries):
        estimates.append(estimate)
        progress("localizing", len(estimates), len(frames))
    return estimates


def picture_worst(
    localizer: Localizer,
    scene: Scene,
    evaluation: Evaluation,
    estimates: Sequence[Estimate],
    *,
    progress: Progress,
) -> list[WorstFrame]:
    """The worst queries beside what the map shows from where it thinks they were taken."""
    cloud = map_point_cloud(localizer, scene.mapping, progress=progress)
    frames = {frame.name: frame for frame in scene.queries}
    poses = {estimate.image: estimate.world_from_cam for estimate in estimates}
    pictures = []
    for bad in worst_frames(evaluation, WORST):
        frame, pose = frames[bad.image], poses.get(bad.image)
        try:
            photo = _small(read_image(frame.image))
        except ImageError:
            continue
        rendering = None
        if pose is not None:
            camera = frame.camera.resized(photo.shape[1], photo.shape[0])
            rendering = render_points(
                cloud.points, cloud.colors, camera, pose,
                radius=0.006 * max(localizer.map.extent, localizer.map.scale),
            )  # fmt: skip
        pictures.append(WorstFrame(bad.image, photo, rendering))
    return pictures


def _small(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
