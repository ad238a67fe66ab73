"""Whether two maps are in one world frame, by the images that both were made from."""

import numpy as np
from numpy.typing import NDArray

from reloc.errors import MapError
from reloc.geometry import Camera, pose_error, rotation_angle_deg
from reloc.maps.scene_map import MappingCamera, SceneMap

# Poses of one image in two maps of one frame differ by no more: shares of the larger extent, and
# degrees. Another run of structure from motion in the same frame moves cameras by less.
TOLERANCE, TOLERANCE_DEG = 0.01, 1.0
# From so many images on it shows whether names mean the same images: then all turn alike from one
# frame to the other.
TELLING, ALIKE_DEG = 3, 10.0
# No two parts of a place are so many extents apart.
ANOTHER_WORLD = 1000.0


def frame_note(scene_map: SceneMap, other: SceneMap) -> str | None:
    """What a user should know of the frames of two maps that are to be one; None if they agree.

    Raises:
        MapError: they are in different frames.
    """
    reach = max(scene_map.extent, other.extent)
    mine, theirs = _centers(scene_map), _centers(other)
    if len(mine) and len(theirs):
        apart = float(np.linalg.norm(mine.mean(axis=0) - theirs.mean(axis=0)))
        if apart > ANOTHER_WORLD * max(reach, scene_map.scale, other.scale):
            raise MapError(
                f"the maps lie {_length(apart, scene_map)} apart, so they are not in one frame; "
                "make both from poses in one frame"
            )
    common = _common(scene_map, other)
    if not common:
        return "no image is in both maps, so it could not be checked that they are in one frame"
    errors = np.array([pose_error(b.world_from_cam, a.world_from_cam) for a, b in common])
    distance, angle = np.median(errors, axis=0)
    # Maps keep poses in single precision, which far from the origin is coarse.
    rounding = 4 * np.finfo(np.float32).eps * float(np.abs(mine).max())
    if distance <= TOLERANCE * reach + rounding and angle <= TOLERANCE_DEG:
        return None
    if len(common) >= TELLING and _turn_differently(common):
        return (
            f"{len(common)} images of the maps share names only, so it could not be checked that "
            "the maps are in one frame"
        )
    raise MapError(
        f"the maps are in two frames: {len(common)} images that both hold stand "
        f"{_length(distance, scene_map)} ({100 * distance / max(reach, 1e-12):.3g} % of the "
        f"extent) and {angle:.3g} degrees apart; make both from poses in one frame"
    )


def _common(a: SceneMap, b: SceneMap) -> list[tuple[MappingCamera, MappingCamera]]:
    """Frames of one name and camera. A name that is in a map several times tells nothing."""
    by_name: list[dict[tuple[str, Camera], list[MappingCamera]]] = [{}, {}]
    for found, scene_map in zip(by_name, (a, b), strict=True):
        for frame in scene_map.cameras:
            found.setdefault((frame.name, frame.camera), []).append(frame)
    shared = [(found, by_name[1].get(key, [])) for key, found in by_name[0].items()]
    return [(x[0], y[0]) for x, y in shared if len(x) == len(y) == 1]


def _turn_differently(common: list[tuple[MappingCamera, MappingCamera]]) -> bool:
    turns = [b.world_from_cam[:3, :3] @ a.world_from_cam[:3, :3].T for a, b in common]
    spread = [np.median([rotation_angle_deg(one, other) for other in turns]) for one in turns]
    return bool(min(spread) > ALIKE_DEG)


def _centers(scene_map: SceneMap) -> NDArray[np.float64]:
    return np.array([c.world_from_cam[:3, 3] for c in scene_map.cameras]).reshape(-1, 3)


def _length(value: float, scene_map: SceneMap) -> str:
    return f"{value:.3g} m" if scene_map.unit == "metre" else f"{value:.3g} scene units"
