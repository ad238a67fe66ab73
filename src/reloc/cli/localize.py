"""``reloc localize``: where were these photos taken?"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from reloc.cli.console import console
from reloc.cli.library import library_localizer, parsed_hint
from reloc.cli.measured_depth import MeasuredDepth
from reloc.cli.options import ComputeOptions, File, ProgressOptions
from reloc.errors import CameraError, ImageError, MapError, OptionError
from reloc.files import check_new_folder, check_writable, json_text
from reloc.geometry import Camera
from reloc.images.camera_spec import parse_camera
from reloc.images.files import image_size, stretch_notes
from reloc.images.lens import read_lens
from reloc.images.sources import NamedImage, check_sources, is_video, named_images
from reloc.library import LibraryLocalizer, is_library
from reloc.localize import Estimate, Localizer, Query
from reloc.localize.pose_files import check_names, estimate_record, write_poses
from reloc.maps import SceneMap
from reloc.scenes.scene import Frame

if TYPE_CHECKING:
    from reloc.cli.overlays import Overlays


def localize(
    map: Annotated[str, tyro.conf.arg(metavar="MAP")],
    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE...")],
    /,
    *,
    camera: str | None = None,
    out: File = None,
    format: Literal["json", "tum", "colmap", "ace"] = "json",
    every: int = 1,
    depth: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None,
    depth_unit: Annotated[str | None, tyro.conf.arg(metavar="UNIT")] = None,
    depth_camera: str | None = None,
    place: str | None = None,
    near: Annotated[str | None, tyro.conf.arg(metavar="LAT,LON,METERS")] = None,
    overlay: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Say where photos were taken.

    Args:
        map: A map made by `reloc map`, or a library made by `reloc library`.
        images: Image files, folders of images, or videos.
        camera: Focal length in pixels, fx,fy,cx,cy, a COLMAP camera line, or a file with one. By
            default one of the map's that took the photo as far as EXIF says, else by EXIF.
        out: Write the poses here; by default one JSON line per image goes to the screen.
        format: Of the file: json, tum (for evo), colmap (a folder), or ace.
        every: Take only every so many frames of a video.
        depth: Measured depth of the image, or a folder of files called as the images are.
        depth_unit: Of depth: mm, m, or metres per stored step; told by the values without it.
        depth_camera: The depth camera's intrinsics, as for --camera; those of the image without it.
        place: With a library, try only the maps of this place.
        near: With a library, try only maps within so many metres of a position in degrees.
        overlay: Draw on a copy of each image, in this folder, what the map says should be there.
    """
    if not images:
        raise OptionError("no images given; name files, folders or videos after the map")
    if out is None and format != "json":
        raise OptionError(f"format {format} needs a file to write: add --out FILE")
    files = check_sources(images)
    if out is not None:
        _check_out(out, format, files, [path for path in images if is_video(path)])
    if overlay is not None:
        check_writable(overlay / "a.jpg")
    if camera is not None:
        parse_camera(camera, width=1, height=1)  # what is no camera for any image
    hint = parsed_hint(place, near)
    scene_map: SceneMap | None = None
    localizer: Localizer | LibraryLocalizer
    if is_library(map):
        localizer = library_localizer(
            map, hint=hint, backbone=compute.backbone, device=compute.device
        )
        units = [entry.unit for entry in localizer.library.entries(hint)]
    elif hint is not None:
        raise OptionError("--place and --near go with a library; a map is one place")
    else:
        scene_map = SceneMap.load(Path(map))
        units = [scene_map.unit]
        localizer = Localizer(scene_map, compute.backbone, device=compute.device)
    # Where all can be listed without decoding, a progress bar knows its end.
    only_files = not any(is_video(path) for path in images)
    named = list(named_images(images, every=every)) if only_files else None
    total = len(named) if named is not None else 0
    measured = None
    if depth is not None:
        if named is None:
            raise OptionError("depth goes with images, not with videos")
        measured = MeasuredDepth(depth, named, units, unit=depth_unit, camera=depth_camera)
    elif depth_unit is not None or depth_camera is not None:
        raise OptionError("depth-unit and depth-camera need --depth PATH")
    overlays = None
    if overlay is not None:
        if scene_map is None:
            raise OptionError("overlay goes with a map, not with a library")
        overlays = _overlays(overlay, map, scene_map)
    items: list[NamedImage] = []
    estimates: list[Estimate] = []

    def queries() -> Iterator[Query]:
        for item, fault in _readable(images, every=every):
            given, known = None, None
            try:
                given = None if fault else given_camera(item, camera)
                known = measured.of(item) if measured else None
            except (ImageError, CameraError) as error:
                fault = error
            items.append(item)
            if overlays is not None:
                overlays.expect(item)
            yield Query(item.name, item.image, given, known, fault)

    for note in () if log.quiet else stretch_notes(files):
        print(f"note: {note}", file=sys.stderr)
    try:
        with log.shown(quiet=out is None) as progress:
            for estimate in localizer.localize_many(queries()):
                if out is None:
                    print(json_text(estimate_record(estimate), indent=None), flush=True)
                else:
                    estimates.append(estimate)
                if overlays is not None:
                    overlays.draw(estimate)
                progress("localizing", len(estimates), max(total, len(estimates)))
    except BaseException:  # also when it is interrupted: nothing that was found is lost
        if out is not None and estimates:
            write_poses(out, estimates, _frames(items, estimates), format=format)
            print(f"note: {out} holds the {len(estimates)} images until here", file=sys.stderr)
        raise
    if overlays is not None and overlays.failed:
        print(
            f"note: {len(overlays.failed)} images could not be drawn: {overlays.failed[0]}",
            file=sys.stderr,
        )
    if out is not None:
        write_poses(out, estimates, _frames(items, estimates), format=format)
        good = sum(e.localized for e in estimates)
        console().print(f"{out}: {good} of {len(estimates)} localized", markup=False)


def _overlays(folder: Path, name: str, scene_map: SceneMap) -> "Overlays":
    from reloc.cli.overlays import Overlays
    from reloc.view.overlay import Overlay

    if scene_map.preview is None:
        raise MapError(f"{name}: holds no points to draw on photos; map the scene again")
    return Overlays(folder, Overlay.of(scene_map))


def _check_out(out: Path, format: str, files: list[Path], videos: list[Path]) -> None:
    """Makes sure, before any work, that poses can be written. Raises OptionError, OutputError."""
    names = [path.as_posix() for path in (*files, *videos)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise OptionError(f"{twice[0]}: given twice, which a file cannot tell apart; name it once")
    if format == "tum" and len(videos) > 1:
        raise OptionError(
            f"{out}: the times of {len(videos)} videos overlap; write a trajectory of each"
        )
    check_names(out, names, format=format)
    (check_new_folder if format == "colmap" else check_writable)(out)


def _readable(
    images: tuple[Path, ...], *, every: int
) -> Iterator[tuple[NamedImage, ImageError | CameraError | None]]:
    """All images, and what has become unreadable since it was looked at, with the reason."""
    for path in images:
        try:
            for item in named_images([path], every=every):
                yield item, None
        except ImageError as error:
            yield NamedImage(path.as_posix(), path), error


def given_camera(item: NamedImage, text: str | None) -> Camera | None:
    """The camera that a user gives for an image; None leaves it to the localizer.

    Raises:
        CameraError: what was given describes no camera.
    """
    if text is None:
        return None
    turn = 0
    if isinstance(item.image, np.ndarray):
        height, width = item.image.shape[:2]
    else:
        try:
            width, height = image_size(item.image)
        except ImageError:
            return None  # the localizer will say what is wrong with the image
        turn = read_lens(item.image).turn or 0
    return parse_camera(text, width=width, height=height, turn=turn)


def _frames(items: list[NamedImage], estimates: list[Estimate]) -> list[Frame]:
    """The images that there are estimates of; more may have been read ahead."""
    fallback = Camera.pinhole(width=1, height=1, fx=1.0)
    return [
        Frame(
            item.name,
            item.image if isinstance(item.image, Path) else Path(item.name),
            estimate.camera or fallback,
            None,
            time=item.time,
        )
        for item, estimate in zip(items, estimates, strict=False)
    ]
