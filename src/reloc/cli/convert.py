"""``reloc convert``: a scene in another format."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.cli.console import console, progress_bar
from reloc.cli.options import ImageFolder
from reloc.files import check_new_folder
from reloc.scenes import open_scene
from reloc.scenes.writers import write_scene


def convert(
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    to: Literal["ace", "colmap", "transforms"],
    query: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    poses: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    strip_metadata: bool = False,
    images: ImageFolder = None,
    quiet: bool = False,
    json_log: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Write a scene in another format: images, cameras, poses, split, depth and points.

    Args:
        scene: Folder of the scene, in any of the layouts that reloc reads.
        out: New folder to write.
        to: Format: ACE's folders, a COLMAP model, or nerfstudio's transforms.json.
        query: File that lists the query images, one per line.
        poses: Pose file to use in place of the scene's own poses.
        strip_metadata: Copy images without EXIF (GPS among it) and the like; pixels stay the same.
        quiet: Show no progress.
        json_log: Write the progress as JSON lines to this file.
    """
    check_new_folder(out)
    source = open_scene(scene, query=query, poses=poses, images=images)
    with progress_bar(quiet=quiet, json_log=json_log) as progress:
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
