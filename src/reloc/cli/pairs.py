"""Arguments that belong together: their order, and whether a map is of a scene."""

import sys
from pathlib import Path

from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.geometry import pose_error
from reloc.maps import SceneMap
from reloc.scenes.scene import Scene

# A pose is that of a map's photo up to rounding; these shares of the extent, and degrees, leave
# room for poses that were refined a little.
SAME_SHARE, SAME_DEGREES = 0.05, 5.0


def is_map_file(path: StrPath) -> bool:
    """Whether a path is that of a map, by its name."""
    path = Path(path)
    return path.suffix.lower() == ".safetensors" and path.is_file()


def check_map_first(verb: str, first: StrPath, *others: StrPath, usage: str) -> None:
    """Makes sure that the map is named first, where the arguments could be told apart.

    Args:
        verb: the verb, for the message.
        first: what stands where the map belongs.
        others: what stands behind it.
        usage: the names of the arguments in order.

    Raises:
        OptionError: a map stands behind what is none.
    """
    maps = [path for path in others if is_map_file(path)]
    if maps and Path(first).exists() and not is_map_file(first):
        raise OptionError(
            f"{first}: is no map, but {maps[0]} is; name the map first: reloc {verb} {usage}"
        )


def check_scene_first(verb: str, first: StrPath, *, usage: str) -> None:
    """Raises OptionError where a map stands in the place of the scene."""
    if is_map_file(first):
        raise OptionError(f"{first}: is a map; name the scene first: reloc {verb} {usage}")


def warn_of_other_scene(name: StrPath, scene_map: SceneMap, scene: Scene) -> None:
    """Says on standard error that a map seems to be of another scene.

    It goes on: a scene may hold other photos of the same place, in the same coordinates.

    Args:
        name: of the map.
        scene_map: the map.
        scene: that it is used with.
    """
    doubt = other_scene(scene_map, scene)
    if doubt is not None:
        print(f"warning: {name}: {doubt}", file=sys.stderr, flush=True)


def other_scene(scene_map: SceneMap, scene: Scene) -> str | None:
    """Why a map seems to be of another scene; None where nothing speaks for that."""
    poses = {f.name: f.world_from_cam for f in (*scene.mapping, *scene.queries)}
    if not scene.mapping or not scene_map.cameras:
        return None
    shared = 0
    same = 0
    for camera in scene_map.cameras:
        pose = poses.get(camera.name)
        if pose is None:
            continue
        shared += 1
        distance, degrees = pose_error(camera.world_from_cam, pose)
        near = distance <= SAME_SHARE * max(scene_map.extent, scene_map.scale)
        same += near and degrees <= SAME_DEGREES
    if not shared:
        return (
            f"none of its {len(scene_map.cameras)} mapping photos is in {scene.name}; is it the "
            "map of another scene?"
        )
    if same < shared / 2:
        return (
            f"{shared - same} of {shared} photos that are called as its mapping photos have other "
            f"poses in {scene.name}; is it the map of another scene, or of other --poses?"
        )
    return None
