"""``reloc convert``: a scene in another format."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.cli.console import console
from reloc.cli.options import ProgressOptions, SceneOptions
from reloc.files import check_new_folder
from reloc.scenes.writers import write_scene


def convert(
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    to: Literal["ace", "colmap", "kapture", "transforms"],
    frames: SceneOptions = SceneOptions(),
    strip_metadata: bool = False,
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Write a scene in another format: images, cameras, poses, split, depth and points.

    Args:
        scene: Folder of the scene, in any of the layouts that reloc reads.
        out: New folder to write.
        to: Format: ACE's folders, a COLMAP model, kapture, or nerfstudio's transforms.json.
        strip_metadata: Copy images without EXIF (GPS among it) and the like; pixels stay the same.
    """
    check_new_folder(out)
    source = frames.open(scene)
    with log.shown() as progress:
        written = write_scene(source, out, to=to, strip_metadata=strip_metadata, progress=progress)
    screen = console()
    for note in (*source.notes, *written.notes):
        screen.print(f"note: {note}", markup=False)
    if source.skipped:
        screen.print(
            f"note: {len(source.skipped)} frames cannot be used; see reloc info {scene}",
            markup=False,
        )
    screen.print(
        f"{written.folder}: {written.mapping} mapping and {written.queries} query frames",
        markup=False,
    )
