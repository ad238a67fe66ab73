"""Writing a scene in a format that other tools read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reloc.errors import OptionError
from reloc.files import StrPath, atomic_folder
from reloc.progress import Progress, silent
from reloc.scenes.scene import Scene
from reloc.scenes.writers.ace import write_ace
from reloc.scenes.writers.colmap import write_colmap
from reloc.scenes.writers.content import Content, content_of
from reloc.scenes.writers.kapture import write_kapture
from reloc.scenes.writers.source_points import source_points
from reloc.scenes.writers.transforms import write_transforms

__all__ = ["SCENE_FORMATS", "Written", "write_scene"]

_WRITERS: dict[str, Callable[[Content, Path, Progress], list[str]]] = {
    "ace": write_ace,
    "colmap": write_colmap,
    "kapture": write_kapture,
    "transforms": write_transforms,
}

SCENE_FORMATS: tuple[str, ...] = tuple(_WRITERS)


@dataclass(frozen=True)
class Written:
    """What ``write_scene`` made.

    Attributes:
        folder: where the scene now lies.
        mapping: how many mapping frames it holds.
        queries: how many query frames it holds.
        notes: one-line remarks on what the format could not hold, and on positions in the images.
    """

    folder: Path
    mapping: int
    queries: int
    notes: tuple[str, ...]


def write_scene(
    scene: Scene,
    folder: StrPath,
    *,
    to: str,
    strip_metadata: bool = False,
    progress: Progress = silent,
) -> Written:
    """Writes a scene in another format; images are copied, cameras and poses stay as they are.

    Depth goes along where the format has a place for it, and so do the points of a COLMAP model or
    of a ``transforms.json``, if the scene still has the poses that it lies there with. The folder
    appears complete or not at all.

    Args:
        scene: what to write. Query frames without a pose are left out, with a note, where the
            format has no place for them.
        folder: where to; must not exist or be empty.
        to: ``ace`` (``{train,test}/{rgb,poses,calibration,depth}``), ``colmap`` (``images``, a
            model in ``sparse/0`` and ``query.txt``), ``kapture`` (1.1, and ``query.txt``) or
            ``transforms`` (nerfstudio's ``transforms.json`` and ``query.txt``).
        strip_metadata: copy images without EXIF and whatever else they tell beside their pixels.
        progress: told of every image.

    Raises:
        OptionError: no such format.
        SceneError: the format cannot hold one of the cameras or names.
        ImageError: an image is missing or damaged, or is of a kind that cannot be stripped.
        OutputError: the folder is taken or cannot be written to.
    """
    if to not in _WRITERS:
        raise OptionError(f"no format is called {to!r}; choose one of {', '.join(SCENE_FORMATS)}")
    content = content_of(scene, posed_queries=to != "ace")
    found = source_points(scene)
    content = replace(content, points=found.sparse, ply=found.ply, strip_metadata=strip_metadata)
    with atomic_folder(folder) as temporary:
        notes = [*found.notes, *_WRITERS[to](content, temporary, progress)]
    left_out = len(scene.queries) - len(content.queries)
    if left_out:
        notes.insert(0, f"left out {left_out} query images whose pose is unknown")
    masks = sum(frame.mask is not None for frame in content.frames)
    if masks:
        notes.append(
            f"left out the masks of {masks} frames, which the format has no place for here"
        )
    if content.metric and to != "ace":
        notes.append(f"{to} does not tell the unit of length, which is the metre here")
    if not content.metric and to == "ace":
        notes.append("readers of ACE folders take the unit for the metre; here it is unknown")
    return Written(
        folder=Path(folder),
        mapping=len(content.mapping),
        queries=len(content.queries),
        notes=tuple(notes),
    )
