"""``reloc align``: up, metres and a place on Earth for a map or a scene."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.alignment.fitting import Fit
from reloc.alignment.gravity import up_by_cameras
from reloc.alignment.known_cameras import KnownCameras
from reloc.alignment.scenes import aligned_scene
from reloc.alignment.steps import by_places, by_points, with_scale, with_up
from reloc.alignment.tables import read_places, read_points
from reloc.cli.arguments import Omittable, Several
from reloc.cli.console import console
from reloc.cli.options import File
from reloc.errors import OptionError
from reloc.files import check_new_folder, check_writable
from reloc.images.lens import read_lens
from reloc.scenes import open_scene
from reloc.scenes.writers import write_scene

if TYPE_CHECKING:
    from reloc.maps import SceneMap

Array = NDArray[np.float64]

# Rows of pictures that are further off level than this, half of them, tell no up.
_MOST_OFF_LEVEL_DEG = 15.0
_TOLD = 5
_OWN = "by its own poses"


@dataclass(frozen=True)
class AlignOptions:
    """What is known of the place; with nothing given, up by its cameras.

    Attributes:
        up: The direction against gravity as x,y,z in the place's own axes, or `cameras`: as people
            hold them. With --points and --gps it lets two positions do.
        distance: Two places and the metres between them: each the name of a mapping frame, for
            where its camera stood, or x,y,z.
        depth: Folder of measured depth called as the mapping frames are.
        depth_unit: Of depth: mm, m, or metres per stored step; told by the values without it.
        points: Text file of control points. A line is `NAME X Y Z` (where the camera of a frame
            stood), `x y z X Y Z` (a point in the place's own axes) or `X Y Z u v NAME` (a pixel of
            a frame that shows the point; two frames at least).
        wgs84: X Y Z of --points are degrees north, degrees east and metres.
        gps: Folder of the photos with positions in EXIF, or a table of `NAME LATITUDE LONGITUDE
            HEIGHT`.

    Raises:
        OptionError: options that exclude each other.
    """

    up: Omittable[str] = None
    distance: Annotated[Several[str], tyro.conf.arg(metavar="A B METRES")] = ()
    depth: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None
    depth_unit: Annotated[Omittable[str], tyro.conf.arg(metavar="UNIT")] = None
    points: File = None
    wgs84: bool = False
    gps: Annotated[Omittable[Path], tyro.conf.arg(metavar="PATH")] = None

    def __post_init__(self) -> None:
        if self.distance and len(self.distance) != 3:
            raise OptionError("--distance takes two places and the metres between them")
        if self.distance and self.depth is not None:
            raise OptionError("--distance and --depth both tell the scale; give one")
        if self.points is not None and self.gps is not None:
            raise OptionError("--points and --gps both tell the place; give one")
        if self.wgs84 and self.points is None:
            raise OptionError("--wgs84 goes with --points FILE")
        if self.depth_unit is not None and self.depth is None:
            raise OptionError("--depth-unit goes with --depth DIR")


def align(
    place: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    /,
    *,
    known: AlignOptions = AlignOptions(),
    drop: bool = False,
    out: Annotated[Omittable[Path], tyro.conf.arg(metavar="OUT")] = None,
) -> None:
    """Say where up is in a map or a scene, how long a metre is, and where on Earth it lies.

    A map keeps its own poses and notes how they lie in the aligned frame; `reloc localize` then
    tells both. Of a scene a copy with aligned poses is written, as a COLMAP folder.

    Args:
        place: A map made by `reloc map`, or the folder of a scene.
        drop: Forget what the map knew of its alignment.
        out: Write the map here, by default over MAP; of a scene the new folder.
    """
    if place.is_dir():
        _align_scene(place, known, out, drop)
        return
    from reloc.maps import SceneMap

    if out is not None or place.is_file():
        check_writable(out or place)
    scene_map = SceneMap.load(place)
    if drop:
        if known != AlignOptions():
            raise OptionError("--drop forgets all; align afterwards")
        replace(scene_map, alignment=None).save(out or place)
        console().print(f"{out or place}: not aligned", markup=False)
        return
    cameras = KnownCameras(
        tuple(camera.name for camera in scene_map.cameras),
        np.array([c.world_from_cam for c in scene_map.cameras]).reshape(-1, 4, 4),
        [camera.camera for camera in scene_map.cameras],
    )
    turns = [(c.lens.turn if c.lens else None) or 0 for c in scene_map.cameras]
    base = scene_map.alignment or _unaligned(scene_map.unit)
    alignment, lines = _aligned(known, base, cameras, turns, scene_map)
    replace(scene_map, alignment=alignment).save(out or place)
    for line in (*lines, f"{out or place}: {alignment_text(alignment)}"):
        console().print(line, markup=False)


def alignment_text(alignment: Alignment | None) -> str:
    """What is known, in words."""
    if alignment is None:
        return "no"
    up, metres, origin = alignment.up_by, alignment.metres_by, alignment.origin
    scale = f"{alignment.aligned_from_world.scale:.6g} m for each unit"
    parts = [
        "up is not known" if up is None else f"z is up {up}",
        "metres are not known" if metres is None else f"{scale} {metres}",
        *([] if origin is None else [f"origin {_position_text(origin)}"]),
    ]
    if alignment.deviation is not None:
        parts.append(f"positions agree to {alignment.deviation:.3g} m")
    return "; ".join(parts)


def _unaligned(unit: str) -> Alignment:
    return Alignment(Similarity(), metres_by=_OWN if unit == "metre" else None)


def _align_scene(folder: Path, known: AlignOptions, out: Path | None, drop: bool) -> None:
    if out is None or drop:
        raise OptionError(f"{folder}: is a scene; name the new folder with --out DIR")
    check_new_folder(out)
    scene = open_scene(folder)
    frames = [frame for frame in scene.mapping if frame.world_from_cam is not None]
    cameras = KnownCameras(
        tuple(frame.name for frame in frames),
        np.array([frame.world_from_cam for frame in frames]).reshape(-1, 4, 4),
        [frame.camera for frame in frames],
    )
    turns = [read_lens(frame.image).turn or 0 for frame in frames]
    alignment, lines = _aligned(known, _unaligned(scene.unit), cameras, turns, None)
    written = write_scene(aligned_scene(scene, alignment), out, to="colmap")
    notes = [f"note: {note}" for note in written.notes]
    for line in (*lines, *notes, f"{out}: {alignment_text(alignment)}"):
        console().print(line, markup=False)


def _aligned(
    known: AlignOptions,
    base: Alignment,
    cameras: KnownCameras,
    turns: list[int],
    scene_map: "SceneMap | None",
) -> tuple[Alignment, list[str]]:
    """The alignment by all that is known, and what to say of it. Raises RelocError."""
    if not len(cameras.poses):
        raise OptionError("it has no mapping frames to be aligned by")
    lines: list[str] = []
    found, up, how = base, None, ""
    # Control points tell up, unless they are not asked to.
    if known.points is None or known.up is not None:
        up, how = _up(known, base, cameras, turns)
    if up is not None and (known.up is not None or base.up is None):
        found = with_up(base, up, how=how)
        lines.append(f"up: {_numbers_text(up)} {how}")
    if known.distance or known.depth is not None:
        scale, how = _scale(known, cameras, scene_map)
        found = with_scale(found, scale, how=how)
        lines.append(f"scale: {scale:.6g} m for each unit {how}")
    # A phone, a ruler or control points know metres better than receivers do.
    measured = bool(known.distance) or known.depth is not None
    own = measured or (found.metres_by is not None and base.origin is None)
    exact = found.aligned_from_world.scale if own else None
    if known.gps is not None:
        rows, places, high = read_places(known.gps, cameras)
        if up is None:
            raise OptionError(
                "rows of most pictures are not level, so that up is not known; give --up x,y,z"
            )
        told = by_places(cameras.centers[rows], places, high=high, up=up, scale=exact)
        names = [cameras.names[row] for row in rows]
    elif known.points is not None:
        pairs = read_points(known.points, cameras)
        exact, names = exact if measured else None, list(pairs.names)
        if known.wgs84:
            places = [Geodetic(*(float(value) for value in row)) for row in pairs.told]
            told = by_places(pairs.world, places, up=up, scale=exact, what="control points")
        else:
            told = by_points(pairs.world, pairs.told, up=up, scale=exact)
    else:
        return found, lines
    fitted = told.alignment
    if up is not None:
        fitted = replace(fitted, up_by=found.up_by)
    if exact is not None:
        fitted = replace(fitted, metres_by=found.metres_by)
    return fitted, lines + _fit_lines(told.fit, names)


def _up(
    known: AlignOptions, base: Alignment, cameras: KnownCameras, turns: list[int]
) -> tuple[Array | None, str]:
    """The direction against gravity, and in words by what; None where nothing tells it."""
    if known.up not in (None, "cameras"):
        return _vector(known.up or "", "--up"), "as given"
    if known.up is None and base.up is not None:
        return base.up, base.up_by or ""
    up, off = up_by_cameras(cameras.poses, turns)
    how = f"by {len(cameras.poses)} cameras, whose pictures are {off:.1f} deg off level (median)"
    if off <= _MOST_OFF_LEVEL_DEG:
        return up, how
    others = (known.distance, known.depth, known.points, known.gps)
    if known.up is None and any(others):
        return None, ""
    raise OptionError(
        f"rows of half of the pictures are over {off:.0f} deg off level, so that they do not tell "
        "where up is; give --up x,y,z"
    )


def _scale(
    known: AlignOptions, cameras: KnownCameras, scene_map: "SceneMap | None"
) -> tuple[float, str]:
    """Metres for each unit of the place, and in words by what."""
    if known.depth is not None:
        if scene_map is None:
            raise OptionError("--depth goes with a map, whose landmarks are measured")
        from reloc.cli.aligned_depth import metres_by_files

        scale, error, frames = metres_by_files(scene_map, known.depth, known.depth_unit)
        return scale, f"by depth of {frames} frames, sure to {100 * error:.2g} %"
    one, other, length = known.distance
    try:
        metres = float(length)
    except ValueError:
        metres = 0.0
    if not 1e-9 < metres < 1e9:
        raise OptionError(f"--distance: {length!r} are no metres between two places")
    apart = float(np.linalg.norm(_spot(one, cameras) - _spot(other, cameras)))
    if apart < 1e-9 * max(1.0, float(np.abs(cameras.centers).max())):
        raise OptionError(f"--distance: {one} and {other} are one place; take two that are apart")
    return metres / apart, f"by a distance of {metres:g} m"


def _spot(text: str, cameras: KnownCameras) -> Array:
    if (row := cameras.row(text)) is not None:
        return np.asarray(cameras.centers[row])
    if text.count(",") == 2:
        return _vector(text, "--distance")
    return np.asarray(cameras.centers[cameras.named(text)])


def _vector(text: str, option: str) -> Array:
    try:
        values = np.array([float(part) for part in text.strip("() ").split(",")])
    except ValueError:
        values = np.zeros(0)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise OptionError(f"{option}: {text!r} is not x,y,z")
    return values


def _fit_lines(fit: Fit, names: list[str]) -> list[str]:
    lines = []
    if fit.deviation is None or fit.turn_error is None:
        lines.append(f"note: {len(names)} positions fit in any case; more tell how well they do")
    else:
        scale = "" if fit.scale_error is None else f", the scale to {100 * fit.scale_error:.2g} %"
        lines.append(
            f"fit: {int(fit.used.sum())} of {len(names)} positions agree to {fit.deviation:.3g} m; "
            f"the turn is sure to {fit.turn_error:.2g} deg{scale}"
        )
    out = np.flatnonzero(~fit.used)
    if len(out):
        worst = out[np.argsort(-fit.residuals[out])]
        told = ", ".join(f"{names[row]} ({fit.residuals[row]:.3g} m)" for row in worst[:_TOLD])
        more = f" and {len(out) - _TOLD} more" if len(out) > _TOLD else ""
        lines.append(f"note: left out {told}{more}")
    return lines


def _numbers_text(values: Array) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _position_text(position: Geodetic) -> str:
    return f"{position.latitude:.7f} {position.longitude:.7f} {position.height:.2f} m"
