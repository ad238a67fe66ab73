"""``reloc localize``: where were these photos taken?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from reloc.cli.arguments import Omittable, Several
from reloc.cli.library import HintOptions
from reloc.cli.measured_depth import DepthOptions
from reloc.cli.options import ComputeOptions, ProgressOptions
from reloc.cli.pairs import check_map_first
from reloc.cli.pose_output import OutputOptions, pose_output
from reloc.cli.pose_table import PoseTable
from reloc.cli.queries import queries_of
from reloc.cli.query_lists import expanded
from reloc.errors import MapError, OptionError
from reloc.files import check_writable
from reloc.images.camera_spec import parse_camera
from reloc.images.files import stretch_notes
from reloc.images.sources import NamedImage, check_sources, is_video, named_images
from reloc.library import LibraryLocalizer, MapLibrary, is_library
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.scenes.camera_lists import read_camera_list

if TYPE_CHECKING:
    from reloc.cli.overlays import Overlays


def localize(
    map: Annotated[str, tyro.conf.arg(metavar="MAP")],
    sources: Annotated[Several[Path], tyro.conf.arg(metavar="IMAGE...")],
    /,
    *,
    camera: Omittable[str] = None,
    every: int = 1,
    images: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None,
    overlay: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None,
    output: OutputOptions = OutputOptions(),
    depth: DepthOptions = DepthOptions(),
    library: HintOptions = HintOptions(),
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Say where photos were taken.

    Args:
        map: A map made by `reloc map`, or a library made by `reloc library`.
        sources: Image files, folders of images, videos, or lists in .txt: of hloc, with the name
            of an image and its intrinsics in each line, or images.txt of LaMAR.
        camera: Focal length in pixels, fx,fy,cx,cy, a COLMAP camera line, or a file with one. Or
            cameras of many photos: cameras.txt or .bin, transforms.json, the folder of either, a
            text file with a name and a camera a line. By default one of the map's that took the
            photo as far as EXIF says, else by EXIF.
        every: Take only every so many frames of a video.
        images: Folder of the images that lists name; by default where they are about the list.
        overlay: Draw on a copy of each image, in this folder, what the map says should be there.
    """
    if not sources:
        raise OptionError("no images given; name files, folders or videos after the map")
    check_map_first("localize", map, *sources, usage="MAP IMAGE...")
    paths, listed = expanded(sources, root=images)
    files = check_sources(paths)
    output.check([Path(listed[file].name) if file in listed else file for file in files], paths)
    if overlay is not None:
        check_writable(overlay / "a.jpg")
    given = None if camera is None else read_camera_list(camera) or camera
    if isinstance(given, str):
        parse_camera(given, width=1, height=1)  # what is no camera for any image
    localizer, units = _localizer(map, library, compute)
    # Where all can be listed without decoding, a progress bar knows its end.
    only_files = not any(is_video(path) for path in paths)
    named = list(named_images(paths, every=every)) if only_files else None
    measured = depth.measured(named, units)
    overlays = None if overlay is None else _overlays(overlay, map, localizer)
    for note in () if log.quiet else stretch_notes(files):
        print(f"note: {note}", file=sys.stderr)
    names = None if named is None else [item.name for item in named]
    unit = units[0] if len(set(units)) == 1 else "unknown"
    with pose_output(output, PoseTable(names, unit)) as poses:

        def expect(item: NamedImage) -> None:
            poses.expect(item)
            if overlays is not None:
                overlays.expect(item)

        queries = queries_of(
            paths, every=every, camera=given, depth=measured, expect=expect, listed=listed
        )
        with log.shown(quiet=output.out is None) as progress:
            for estimate in localizer.localize_many(queries):
                poses.add(estimate)
                if overlays is not None:
                    overlays.draw(estimate)
                progress("localizing", poses.count, max(len(named or ()), poses.count))
        if overlays is not None and overlays.failed:
            print(
                f"note: {len(overlays.failed)} images could not be drawn: {overlays.failed[0]}",
                file=sys.stderr,
            )


def _localizer(
    location: str, options: HintOptions, compute: ComputeOptions
) -> tuple[Localizer | LibraryLocalizer, list[str]]:
    """What localizes in a map or a library, and the units of the maps. Raises RelocError."""
    hint = options.hint()
    if is_library(location):
        library = MapLibrary(location)
        units = [entry.unit for entry in library.entries(hint)]
        found = LibraryLocalizer(library, compute.backbone, hint=hint, device=compute.device)
        return found, units
    if hint is not None:
        raise OptionError("--place and --near go with a library; a map is one place")
    scene_map = SceneMap.load(Path(location))
    return Localizer(scene_map, compute.backbone, device=compute.device), [scene_map.unit]


def _overlays(folder: Path, name: str, localizer: Localizer | LibraryLocalizer) -> "Overlays":
    """What draws on the images. Raises OptionError, or MapError for a map without points."""
    from reloc.cli.overlays import Overlays
    from reloc.view.overlay import Overlay

    if not isinstance(localizer, Localizer):
        raise OptionError("overlay goes with a map, not with a library")
    if localizer.map.preview is None:
        raise MapError(f"{name}: holds no points to draw on photos; map the scene again")
    return Overlays(folder, Overlay.of(localizer.map))
