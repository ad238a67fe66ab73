"""``reloc view``: a place to move about in, as one page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.options import ComputeOptions, File, ProgressOptions, SceneOptions
from reloc.errors import MapError, OptionError
from reloc.evaluation import read_evaluation
from reloc.evaluation.figures import bytes_text
from reloc.files import check_writable
from reloc.library import MapLibrary, is_library
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.reconstruct.point_cloud import PointCloud, map_point_cloud, preview_cloud
from reloc.scenes.unpacking import is_archive
from reloc.view.exhibit import Exhibit, exhibit
from reloc.view.gallery import gallery_exhibit
from reloc.view.recording import write_recording
from reloc.view.viewer import write_viewer

MAX_POINTS = 2_000_000
VIEWS = 120
GALLERY_MAPS = 49  # maps of a library in one picture


def view(
    source: Annotated[str, tyro.conf.arg(metavar="MAP|SCENE|LIBRARY")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT.html")],
    /,
    *,
    scene: Annotated[Omittable[Path], tyro.conf.arg(metavar="SCENE")] = None,
    eval: File = None,
    rerun: Annotated[Omittable[Path], tyro.conf.arg(metavar="FILE.rrd")] = None,
    points: int = 500_000,
    photos: int = 400,
    frames: SceneOptions = SceneOptions(),
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Make a page to move about in a place: its points, cameras, queries and photos.

    Args:
        source: A map made by `reloc map`, the folder of a scene for its cameras alone, or a library
            of maps, which are shown side by side.
        out: The page to write: one file that needs no network.
        scene: Folder of the scene that the map was made from: gives points and photos.
        eval: What `reloc eval --json` wrote: shows estimates and their errors.
        rerun: Write a recording for the viewer of Rerun as well; needs the extra viz.
        points: How many points to show at most.
        photos: How many photos to hold at most.
    """
    if not 0 <= points <= MAX_POINTS or photos < 0:
        raise OptionError(f"points go from 0 to {MAX_POINTS}, photos from 0 on")
    check_writable(out)
    if rerun is not None:
        check_writable(rerun)
    path = Path(source)
    shelved = is_library(source)
    is_scene = path.is_dir() or is_archive(path)
    if shelved and (scene is not None or eval is not None):
        raise OptionError(f"{source}: is a library; --scene and --eval go with one map of it")
    if is_scene and scene is not None:
        raise OptionError(f"{source}: is a scene already; give a map beside --scene {scene}")
    folder = path if is_scene and not shelved else scene
    if folder is None and (frames.query is not None or frames.poses is not None):
        raise OptionError("--query and --poses belong to a scene; add --scene FOLDER")
    scene_map = None if is_scene or shelved else SceneMap.load(path)
    found = None if folder is None else frames.open(folder)
    evaluation = None if eval is None else read_evaluation(eval)
    left_out = 0
    with log.shown() as progress:
        if shelved:
            shown, left_out = _library(source)
        else:
            none = np.zeros((0, 3))
            cloud = PointCloud(none, none.astype(np.uint8), none.astype(np.float32))
            if scene_map is not None and found is None and points:
                cloud = preview_cloud(scene_map)
            shown = exhibit(cloud=cloud, scene_map=scene_map, scene=found, evaluation=evaluation)
        if scene_map is not None and found is not None and points:
            localizer = Localizer(scene_map, compute.backbone, device=compute.device)
            cloud = map_point_cloud(
                localizer, found.mapping, views=VIEWS, max_points=points, progress=progress
            )
            shown = replace(shown, cloud=cloud)
        if rerun is not None:
            write_recording(rerun, shown, photos=photos, progress=progress)
        write_viewer(out, shown, photos=photos, progress=progress)
    size = bytes_text(out.stat().st_size)
    screen = console()
    landmarks = f"{len(shown.landmarks):,} landmarks, " if len(shown.landmarks) else ""
    screen.print(
        f"{out}: {len(shown.cloud):,} points, {landmarks}{len(shown.frames)} cameras, {size}",
        markup=False,
    )
    if rerun is not None:
        screen.print(f"{rerun}: open it with `rerun {rerun}`", markup=False)
    if left_out:
        screen.print(f"note: {left_out} more maps are not shown, which would be too small to see")
    elif found is None and not shelved:
        screen.print("note: a map holds no images and few points; add --scene FOLDER for more")
    elif scene_map is not None and points and not len(shown.cloud):
        screen.print("note: views do not agree on any point of this map; it needs more training")


def _library(location: str) -> tuple[Exhibit, int]:
    """The first maps of a library by name, and how many more there are. Raises MapError."""
    library = MapLibrary(location)
    names = [entry.name for entry in library.entries()]
    if not names:
        raise MapError(f"{location}: the library is empty; add a map with `reloc library add`")
    maps = [(name, library.load(name)) for name in names[:GALLERY_MAPS]]
    return gallery_exhibit(Path(location).name, maps), len(names) - len(maps)
