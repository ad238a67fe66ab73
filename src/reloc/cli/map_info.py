"""What a map holds, for ``reloc info MAP``."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reloc.alignment.alignment import alignment_record
from reloc.cli.align import alignment_text
from reloc.evaluation.quality import quality_text
from reloc.maps import SceneMap
from reloc.maps.held_back import held_back_record


def map_facts(path: Path) -> dict[str, Any]:
    """What the file of a map says of itself, in JSON types.

    Raises:
        MapError: it cannot be read.
    """
    made = SceneMap.load(path)
    region, known = made.regions[0], made.landmarks
    return {
        "map": path.name,
        "bytes": path.stat().st_size,
        "scene": made.info.get("scene"),
        "heads": len(made.regions),
        "kind": region.head.kind,
        "bits": region.packed.bits if region.packed else 16,
        "frames": made.info.get("frames"),
        "extent": made.extent,
        "unit": made.unit,
        "backbone": made.backbone,
        "landmarks": 0 if known is None else len(known),
        "landmarks_made": made.info.get("landmarks"),
        "seconds": made.seconds,
        "held_back": held_back_record(made.held_back),
        "quality": quality_text(made),
        "alignment": alignment_record(made.alignment),
        "aligned": alignment_text(made.alignment),
    }


def print_map(facts: dict[str, Any], screen: Console) -> None:
    """The facts as a person reads them."""
    unit = " m" if facts["unit"] == "metre" else ""
    rows = {
        "map": f"{facts['map']} ({facts['bytes'] / 1e6:.2f} MB)",
        "scene": f"{facts['scene'] or 'unknown'}, {facts['frames'] or 'unknown'} mapping frames",
        "heads": f"{facts['heads']} {facts['kind']}, {facts['bits']} bits for a weight",
        "extent": f"{facts['extent']:.4g}{unit}",
        "backbone": facts["backbone"],
        "landmarks": _landmarks(facts),
        "quality": facts["quality"],
        "aligned": facts["aligned"],
    }
    table = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        table.add_row(name, escape(text))
    screen.print(table)


def _landmarks(facts: dict[str, Any]) -> str:
    made = facts["landmarks_made"]
    if not isinstance(made, dict):
        return str(facts["landmarks"])
    told = {name: made.get(name, "?") for name in ("frames", "matches", "confirmed", "points")}
    return (
        f"{facts['landmarks']} of {told['points']} points from {told['frames']} frames; of "
        f"{told['matches']} matches a third frame confirmed {told['confirmed']}"
    )
