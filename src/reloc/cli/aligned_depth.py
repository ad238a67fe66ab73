"""Metres of a map by a folder of measured depth."""

from collections import Counter
from pathlib import Path

from reloc.cli.measured_depth import meters_per_step
from reloc.errors import ImageError, OptionError
from reloc.geometry import same_aspect
from reloc.images.files import image_size
from reloc.maps import SceneMap
from reloc.maps.metric import metres_by_depth
from reloc.sampling import evenly
from reloc.scenes.depth import DepthMap, guessed_unit, read_depth_map
from reloc.scenes.scene import Depth
from reloc.scenes.sidecar_files import SidecarFiles, first_word
from reloc.scenes.text import image_files

# So many frames tell the scale to far less than depth cameras err by.
_FRAMES = 100


def metres_by_files(
    scene_map: SceneMap, folder: Path, unit: str | None
) -> tuple[float, float, int]:
    """As ``metres_by_depth``, of files that are called as the mapping frames are.

    Args:
        scene_map: a map with landmarks.
        folder: of depth images.
        unit: as ``meters_per_step``; None to tell it by the values.

    Raises:
        MapError, OptionError: as ``metres_by_depth``, or no file is called as a frame is.
        ImageError: the unit cannot be told, or a file is damaged.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder of depth")
    paths = {camera.name: Path(camera.name) for camera in scene_map.cameras}
    words = Counter(map(first_word, paths.values()))
    photos = {path.name for path in paths.values()}  # which may lie beside their depth
    sidecars = SidecarFiles(path for path in image_files(folder) if path.name not in photos)
    shared = {word for word, count in words.items() if count > 1}
    files = {name: sidecars.of(path, shared) for name, path in paths.items()}
    found = {name: path for name, path in files.items() if path is not None}
    if not found:
        raise OptionError(f"{folder}: no file there is called as one of the mapping frames is")
    step = guessed_unit(found.values()) if unit is None else meters_per_step(unit)
    cameras = {frame.name: frame.camera for frame in scene_map.cameras}
    measured: dict[str, DepthMap] = {}
    for name in evenly(sorted(found), _FRAMES):
        path, camera = found[name], cameras[name]
        size = image_size(path)
        if not same_aspect(size, (camera.width, camera.height)):
            raise OptionError(
                f"{path}: depth is {size[0]}x{size[1]}, its frame {camera.width}x{camera.height}, "
                "which is another shape; give --distance in place of --depth"
            )
        depth = Depth(path, camera.resized(*size), step)
        measured[name] = read_depth_map(depth, may_be_empty=True)
    return metres_by_depth(scene_map, measured)
