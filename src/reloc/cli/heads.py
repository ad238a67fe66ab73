"""``reloc heads``: the heads of a map, and how to add, replace and drop them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.table import Table

from reloc.cli.arguments import Omittable, Several
from reloc.cli.console import console
from reloc.errors import OptionError
from reloc.files import check_writable
from reloc.maps import SceneMap
from reloc.maps.edit import with_added, with_replaced, without
from reloc.maps.frames import frame_note


def heads(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    /,
    *,
    add: Annotated[Omittable[Path], tyro.conf.arg(metavar="OTHER")] = None,
    replace: Annotated[Omittable[int], tyro.conf.arg(metavar="N")] = None,
    drop: Annotated[Several[int], tyro.conf.arg(metavar="N...")] = (),
    out: Annotated[Omittable[Path], tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """List the heads of a map; add, replace or drop some.

    Args:
        map: A map made by `reloc map`.
        add: A map of the same place, in the same world frame, whose heads are taken in.
        replace: Number of the head that gives way to those of --add.
        drop: Numbers of heads to leave out.
        out: Write the changed map here; by default over MAP.
    """
    if replace is not None and add is None:
        raise OptionError("--replace N needs --add OTHER: the map whose heads take its place")
    if replace is not None and drop:
        raise OptionError("--replace and --drop at once are unclear; do one after the other")
    changed = bool(drop) or add is not None
    if out is not None and not changed:
        raise OptionError("nothing to change; --out goes with --add or --drop")
    if changed and (out is not None or map.is_file()):
        check_writable(out or map)
    scene_map = SceneMap.load(map)
    if drop:
        scene_map = without(scene_map, drop)
    note = None
    if add is not None:
        other = SceneMap.load(add)
        before = scene_map
        if replace is None:
            scene_map = with_added(scene_map, other)
        else:
            scene_map = with_replaced(scene_map, replace, other)
        note = frame_note(before, other)
    if changed:
        scene_map.save(out or map)
    console().print(_table(scene_map))
    if note is not None:
        console().print(f"note: {note}", markup=False)


def _table(scene_map: SceneMap) -> Table:
    unit = "m" if scene_map.unit == "metre" else "scene units"
    table = Table("head", "kind", "weights", "frames", f"extent ({unit})", "origin")
    for number, region in enumerate(scene_map.regions):
        rows = range(len(scene_map.cameras)) if region.frames is None else region.frames
        centers = np.array([scene_map.cameras[row].world_from_cam[:3, 3] for row in rows])
        extent = np.ptp(centers, axis=0).max() if len(centers) else 0.0
        bits = region.packed.bits if region.packed else 16
        table.add_row(
            str(number),
            region.head.kind,
            f"{sum(p.numel() for p in region.head.parameters())} in {bits} bits",
            str(len(rows)),
            f"{extent:.4g}",
            " ".join(f"{value:.6g}" for value in region.origin),
        )
    return table
