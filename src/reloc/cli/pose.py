"""``reloc pose``: photos or a video without poses to a COLMAP model."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.cli.console import console
from reloc.cli.options import ProgressOptions
from reloc.errors import SceneError
from reloc.sfm.captures import capture_without_poses
from reloc.sfm.posing import pose_capture


def pose(
    capture: Annotated[Path, tyro.conf.arg(metavar="CAPTURE")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Find the poses of a video or of photos, by structure from motion.

    Args:
        capture: A video, or a folder of photos.
        out: Folder for images and a COLMAP model, which is a scene to map. The same command goes
            on where it was interrupted.
    """
    found = capture_without_poses(capture)
    if found is None and not capture.exists():
        raise SceneError(f"{capture}: no such file or folder")
    if found is None:
        raise SceneError(
            f"{capture}: no video and no folder of photos without poses; if its poses are known, "
            "`reloc map` takes it as it is"
        )
    with log.shown() as progress:
        posed = pose_capture(found, out, progress=progress)
    screen = console()
    if posed.earlier:
        screen.print(f"{out}: there already", markup=False)
    for line in posed.outcome.lines():
        screen.print(line, markup=False)
    screen.print(f"{out}: ready for `reloc map {out} MAP`", markup=False)
