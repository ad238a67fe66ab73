"""``reloc synthesize``: a synthetic scene from a seed."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from reloc.cli.console import console, progress_bar
from reloc.errors import OptionError


def synthesize(
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    seed: int = 0,
    mapping: int = 120,
    queries: int = 30,
    width: int = 640,
    height: int = 480,
    quiet: bool = False,
    json_log: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Make a synthetic scene: a furnished room, walked through for mapping and for queries.

    Args:
        out: Folder to write, in the layout of ACE; must not exist yet.
        seed: Of the room, the paths and the pictures.
        mapping: Frames to map from.
        queries: Frames to localize.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
        quiet: Show no progress.
        json_log: Write the progress as JSON lines to this file.
    """
    if mapping < 1 or queries < 0 or seed < 0:
        raise OptionError("mapping must be at least 1, queries and seed not negative")
    from reloc.synthetic.scene import write_synthetic_scene

    with progress_bar(quiet=quiet, json_log=json_log) as progress:
        scene = write_synthetic_scene(
            out,
            seed=seed,
            mapping=mapping,
            queries=queries,
            width=width,
            height=height,
            progress=progress,
        )
    console().print(
        f"{escape(str(out))}: {len(scene.mapping)} mapping frames, {len(scene.queries)} queries"
    )
