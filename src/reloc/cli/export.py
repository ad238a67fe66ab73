"""``reloc export``: points and poses for other programs."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.eval_ import localize_frames
from reloc.cli.options import ComputeOptions, ProgressOptions, SceneOptions
from reloc.cli.pairs import check_map_first, warn_of_other_scene
from reloc.errors import OptionError
from reloc.files import atomic_folder, check_new_folder, check_writable
from reloc.localize import Estimate, Localizer
from reloc.localize.pose_files import write_poses
from reloc.maps import SceneMap
from reloc.progress import Progress
from reloc.reconstruct.landmark_tracks import landmark_tracks
from reloc.reconstruct.point_cloud import map_point_cloud
from reloc.scenes.scene import Frame, Scene
from reloc.scenes.writers.colmap_binary import write_binary_model
from reloc.scenes.writers.colmap_tracks import NO_POINTS
from reloc.scenes.writers.content import content_of
from reloc.view.ply import write_ply
from reloc.view.sightings import tracked

Format = Literal["ply", "colmap", "tum"]


def export(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    to: Omittable[Format] = None,
    points: int = 500_000,
    views: int = 100,
    frames: SceneOptions = SceneOptions(),
    strip_metadata: bool = False,
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Write what a map knows for other programs: its points, a COLMAP model, or trajectories.

    Args:
        map: A map made by `reloc map`.
        scene: Folder of the scene that it was made from, for images and poses.
        out: The file to write for ply, a new folder for colmap and tum.
        to: ply (points), colmap (images, poses and points) or tum (true and estimated
            trajectories); by default ply if OUT ends in .ply.
        points: At most so many points; with 0 a COLMAP model has the landmarks alone, whose tracks
            are keypoints of the images.
        views: Mapping images to take points from.
        strip_metadata: Copy the images of a COLMAP model without EXIF (GPS among it) and the like;
            pixels stay the same.
    """
    check_map_first("export", map, scene, usage="MAP SCENE OUT")
    if to is None and out.suffix.lower() != ".ply":
        raise OptionError(f"{out}: say what to write with --to ply, colmap or tum")
    if points < (to != "colmap") or views < 1:
        raise OptionError("--points and --views are at least 1; --points 0 goes with --to colmap")
    (check_new_folder if to in ("colmap", "tum") else check_writable)(out)
    scene_map = SceneMap.load(map)
    found = frames.open(scene)
    warn_of_other_scene(map, scene_map, found)
    localizer = Localizer(scene_map, compute.backbone, device=compute.device)
    notes: list[str] = []
    with log.shown() as progress:
        if to == "tum":
            summary = write_trajectories(out, localizer, found, progress=progress)
        elif to == "colmap":
            summary, notes = write_colmap_folder(
                out, localizer, found, views, points, strip_metadata, progress=progress
            )
        else:
            cloud = map_point_cloud(
                localizer, found.mapping, views=views, max_points=points, progress=progress
            )
            write_ply(out, cloud)
            summary = f"{len(cloud)} points"
    for line in (*(f"note: {note}" for note in notes), f"{out}: {summary}"):
        console().print(line, markup=False)


def write_colmap_folder(
    out: Path,
    localizer: Localizer,
    scene: Scene,
    views: int,
    points: int,
    strip_metadata: bool,
    *,
    progress: Progress,
) -> tuple[str, list[str]]:
    """Writes the mapping images, their poses and the map's points as a COLMAP model.

    Landmarks come first, with the keypoints that show them; then the points that the heads predict,
    with where each would be seen. Returns what was written, in words, and remarks on the images.

    Raises:
        SceneError, ImageError: a frame has a name or an image that cannot be written.
        OutputError: the folder is taken or cannot be written to.
    """
    content = replace(
        content_of(scene, posed_queries=True), queries=(), strip_metadata=strip_metadata
    )
    names = content.names_in_images()
    with atomic_folder(out) as folder:
        model = NO_POINTS
        if localizer.map.landmarks is not None:
            model = landmark_tracks(localizer.map.landmarks, content.frames, progress=progress)
        told = f", {len(model)} of them landmarks" if len(model) else ""
        if points:
            cloud = map_point_cloud(
                localizer, scene.mapping, views=views, max_points=points, progress=progress
            )
            model = model.joined(tracked(cloud, content.frames))
        notes = content.copy_images(
            {folder / "images" / names[frame.name]: frame.image for frame in content.frames},
            progress,
        )
        write_binary_model(folder / "sparse" / "0", content.frames, names, model)
    return f"{len(model)} points{told}, {len(content.mapping)} images", notes


def write_trajectories(out: Path, localizer: Localizer, scene: Scene, *, progress: Progress) -> str:
    """Writes the true poses as TUM files and, where there are queries, the estimated ones.

    The timestamps of ``estimates.tum`` are those of the same frames in ``queries.tum``, so that evo
    pairs them. Returns what was written, in words.

    Raises:
        OutputError: the folder is taken or cannot be written to.
    """
    with atomic_folder(out) as folder:
        write_poses(folder / "mapping.tum", _truth(scene.mapping), scene.mapping, format="tum")
        estimates = localize_frames(localizer, scene.queries, progress=progress)
        if scene.queries:
            write_poses(folder / "queries.tum", _truth(scene.queries), scene.queries, format="tum")
            write_poses(folder / "estimates.tum", estimates, scene.queries, format="tum")
    good = sum(estimate.localized for estimate in estimates)
    return f"{len(scene.mapping)} mapping poses, {good} of {len(estimates)} queries localized"


def _truth(frames: tuple[Frame, ...]) -> list[Estimate]:
    """The poses that are known, as if someone had estimated them."""
    return [
        Estimate(f.name, localized=f.world_from_cam is not None, world_from_cam=f.world_from_cam)
        for f in frames
    ]
