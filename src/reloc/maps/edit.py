"""Adding, replacing and dropping the regions of a map: a place that grows or changes."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reloc.errors import MapError, OptionError
from reloc.landmarks.editing import seen_by_any, with_both
from reloc.maps.frames import frame_note
from reloc.maps.scene_map import MAX_CAMERAS, MAX_REGIONS, MappingCamera, Region, SceneMap
from reloc.sampling import evenly


def with_added(scene_map: SceneMap, other: SceneMap) -> SceneMap:
    """A map with the regions of two, the other's last. Both must be in one world frame.

    Raises:
        MapError: they cannot be in one map: other backbones, image sizes or units, too many
            regions, or images that both hold contradict each other (``maps.frames``).
    """
    _check_alike(scene_map, other)
    frame_note(scene_map, other)
    known = {_key(camera): row for row, camera in enumerate(scene_map.cameras)}
    cameras = list(scene_map.cameras)
    rows = []
    for camera in other.cameras:
        if _key(camera) not in known:
            known[_key(camera)] = len(cameras)
            cameras.append(camera)
        rows.append(known[_key(camera)])
    mine = [replace(r, frames=_rows(r, scene_map)) for r in scene_map.regions]
    theirs = [replace(r, frames=tuple(rows[row] for row in _rows(r, other))) for r in other.regions]
    both = with_both(scene_map.landmarks, other.landmarks)
    # How those of one map came about is not how these did.
    info = {key: value for key, value in scene_map.info.items() if key != "landmarks"}
    aligned = scene_map.alignment or other.alignment  # the world is one
    made = replace(scene_map, landmarks=both, info=info, alignment=aligned)
    return _with(made, [*mine, *theirs], cameras)


def joined(parts: Sequence[SceneMap]) -> SceneMap:
    """The map of a place whose heads were trained one by one: ``map_scene`` with ``head``.

    What ``info`` says of work is that of all; a frame counts with each of the heads it is for.

    Raises:
        MapError: they are not of one place, made from the same frames.
    """
    whole = parts[0]
    for part in parts[1:]:
        _check_alike(whole, part)
        if list(map(_key, part.cameras)) != list(map(_key, whole.cameras)):
            raise MapError("maps of other frames are no parts of one map; see `reloc heads --add`")
        whole = replace(whole, regions=(*whole.regions, *part.regions))
    try:
        info = _joined_info([part.info for part in parts])
    except (KeyError, TypeError) as error:
        raise MapError("parts that do not tell how they were made; make them again") from error
    return replace(whole, info=info)


def _joined_info(infos: Sequence[Any]) -> dict[str, Any]:
    totals = {n: sum(i[n] for i in infos) for n in ("skipped", "swept", "features", "steps")}
    means = {
        n: round(sum(i[n] for i in infos) / len(infos), 4)
        for n in ("median_error_px", "inlier_share")
    }
    stages = {n: round(sum(i["seconds"][n] for i in infos), 2) for n in infos[0]["seconds"]}
    return {**infos[0], **totals, **means, "seconds": stages}


def without(scene_map: SceneMap, numbers: Collection[int]) -> SceneMap:
    """A map without some regions, and the cameras and landmarks that only they knew.

    Raises:
        OptionError: no such regions, or none would be left.
    """
    _check_numbers(scene_map, numbers)
    left = [
        replace(region, frames=_rows(region, scene_map))
        for number, region in enumerate(scene_map.regions)
        if number not in numbers
    ]
    if not left:
        raise OptionError("a map needs a head; remove the file instead of dropping all")
    made = _with(scene_map, left, scene_map.cameras)
    if made.landmarks is None:
        return made
    seen = seen_by_any(made.landmarks, [(c.world_from_cam, c.camera) for c in made.cameras])
    return replace(made, landmarks=made.landmarks.subset(seen) if len(seen) else None)


def with_replaced(scene_map: SceneMap, number: int, other: SceneMap) -> SceneMap:
    """A map with the regions of another in the place of one.

    Raises:
        OptionError: no such region.
        MapError: as ``with_added``.
    """
    _check_numbers(scene_map, [number])
    both = with_added(scene_map, other)
    count = len(scene_map.regions)
    old, new = both.regions[:count], both.regions[count:]
    ordered = replace(both, regions=(*old[: number + 1], *new, *old[number + 1 :]))
    return without(ordered, [number])


def _check_numbers(scene_map: SceneMap, numbers: Collection[int]) -> None:
    count = len(scene_map.regions)
    for number in numbers:
        if not 0 <= number < count:
            raise OptionError(f"there is no head {number}; the map has 0 to {count - 1}")


def _with(
    scene_map: SceneMap,
    regions: list[Region],
    cameras: list[MappingCamera] | tuple[MappingCamera, ...],
) -> SceneMap:
    """The map with other regions and a sample of those cameras that belong to one."""
    used = sorted({row for region in regions for row in region.frames or ()})
    kept = evenly(used, MAX_CAMERAS)
    new_row = {old: new for new, old in enumerate(kept)}
    chosen = tuple(cameras[row] for row in kept)
    centers = np.array([c.world_from_cam[:3, 3] for c in chosen]).reshape(-1, 3)
    return replace(
        scene_map,
        regions=tuple(
            replace(r, frames=tuple(new_row[row] for row in r.frames or () if row in new_row))
            for r in regions
        ),
        cameras=chosen,
        extent=float(np.ptp(centers, axis=0).max()) if chosen else scene_map.extent,
        held_back=None,  # it was measured of another map
    )


def _rows(region: Region, scene_map: SceneMap) -> tuple[int, ...]:
    return tuple(range(len(scene_map.cameras))) if region.frames is None else region.frames


def _check_alike(scene_map: SceneMap, other: SceneMap) -> None:
    """Raises MapError for maps that cannot be in one."""
    for name in ("backbone", "short_side", "unit"):
        mine, theirs = getattr(scene_map, name), getattr(other, name)
        if mine != theirs:
            raise MapError(
                f"maps with {name.replace('_', ' ')} {mine} and {theirs} cannot be one; map the "
                "scene again with the same"
            )
    if len(scene_map.regions) + len(other.regions) > MAX_REGIONS:
        raise MapError(f"a map has at most {MAX_REGIONS} heads; make a library of several maps")


def _key(camera: MappingCamera) -> tuple[str, bytes]:
    """Frames that two maps share, where clusters overlap, are one."""
    return camera.name, camera.world_from_cam.astype(np.float32).tobytes()
