"""``reloc synthesize``: a synthetic scene from a seed."""

from functools import partial
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from reloc.cli.console import console
from reloc.cli.options import ProgressOptions
from reloc.errors import OptionError

# More would be a mistake: a thousand rooms are days of rendering.
MAX_ROOMS = 1000


def synthesize(
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    rooms: int = 1,
    seed: int = 0,
    mapping: int = 120,
    queries: int = 30,
    width: int = 640,
    height: int = 480,
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Make a synthetic scene: furnished rooms, walked through for mapping and for queries.

    Args:
        out: Folder to write, in the layout of ACE; must not exist yet.
        rooms: More than one make a campus of rooms that look alike, with corridors between them.
        seed: Of the rooms, the paths and the pictures.
        mapping: Frames to map from, in each room; a corridor has twice as many.
        queries: Frames to localize, likewise.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
    """
    if mapping < 1 or queries < 0 or seed < 0:
        raise OptionError("mapping must be at least 1, queries and seed not negative")
    if not 1 <= rooms <= MAX_ROOMS:
        raise OptionError(f"rooms must be 1 to {MAX_ROOMS}")
    from reloc.synthetic.campus import write_campus
    from reloc.synthetic.scene import write_synthetic_scene

    write = write_synthetic_scene if rooms == 1 else partial(write_campus, rooms=rooms)
    with log.shown() as progress:
        scene = write(
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
