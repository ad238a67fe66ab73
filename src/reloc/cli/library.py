"""``reloc library``: many maps in one place, found by what an image looks like or by a hint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.table import Table
from rich.text import Text

from reloc.cli.arguments import Omittable, Several
from reloc.cli.console import console
from reloc.errors import MapError, OptionError
from reloc.evaluation.quality import quality_text
from reloc.library import Hint, MapLibrary
from reloc.maps import SceneMap
from reloc.untrusted import printable


@dataclass(frozen=True)
class HintOptions:
    """What is known of the place before an image is looked at.

    Attributes:
        place: With a library, try only the maps of this place.
        near: With a library, try only maps within so many metres of a position in degrees.
    """

    place: Omittable[str] = None
    near: Annotated[Omittable[str], tyro.conf.arg(metavar="LAT,LON,METERS")] = None

    def hint(self) -> Hint | None:
        """The hint, None without any. Raises OptionError."""
        return parsed_hint(self.place, self.near)


def library(
    action: Annotated[
        Literal["add", "list", "remove", "repair"],
        tyro.conf.arg(metavar="{add,list,remove,repair}"),
    ],
    location: Annotated[str, tyro.conf.arg(metavar="LIBRARY")],
    maps: Annotated[Several[str], tyro.conf.arg(metavar="MAP...")] = (),
    /,
    *,
    name: Omittable[str] = None,
    place: Omittable[str] = None,
    position: Annotated[Omittable[str], tyro.conf.arg(metavar="LAT,LON")] = None,
    heading: Omittable[float] = None,
    near: Annotated[Omittable[str], tyro.conf.arg(metavar="LAT,LON,METERS")] = None,
) -> None:
    """Keep many maps in one place.

    Args:
        action: add copies map files into the library, remove takes maps out by name, list shows
            what there is, repair finds what killed writers left and maps whose file is wrong.
        location: A folder, or a URL that fsspec understands.
        maps: Map files to add, or names to remove.
        name: What to call the map that is added; by default as its file.
        place: Where the maps belong, for later hints; with list, only show these.
        position: Latitude and longitude of the map's origin, in degrees.
        heading: Of the map's y axis, in degrees clockwise from north.
        near: With list, only show maps within so many metres of a position.
    """
    if action == "list":
        entries = MapLibrary(location).entries(parsed_hint(place, near))
        table = Table("map", "place", "position", "heads", "extent", "MB")
        for entry in entries:
            where = "–"
            if entry.latitude is not None and entry.longitude is not None:
                where = f"{entry.latitude:.6f},{entry.longitude:.6f}"
            extent = f"{entry.extent:.4g} {'m' if entry.unit == 'metre' else ''}"
            size = f"{entry.bytes / 1e6:.1f}"
            place_name = Text(printable(entry.place or "–"))
            table.add_row(entry.name, place_name, where, str(entry.heads), extent, size)
        console().print(table)
        console().print(f"{location}: {len(entries)} maps", markup=False)
        return
    if action == "repair":
        _repair(location)
        return
    if not maps:
        raise OptionError("no maps given; name them after the library")
    if action == "remove":
        library_ = MapLibrary(location)
        for old in maps:
            library_.remove(old)
        console().print(f"{location}: removed {len(maps)}", markup=False)
        return
    if len(maps) > 1 and (name is not None or position is not None):
        raise OptionError("--name and --position are for one map; add the maps one by one")
    latitude, longitude = _numbers(position, 2, "position", "LAT,LON") if position else (None, None)
    library_ = MapLibrary(location, create=True)
    for path in maps:
        entry = library_.add(
            Path(path),
            name=name,
            place=place,
            latitude=latitude,
            longitude=longitude,
            heading=heading,
        )
        told = quality_text(SceneMap.load(path))
        console().print(f"{location}: added {entry.name}; {told}", markup=False)


def _repair(location: str) -> None:
    found = MapLibrary(location).repair()
    for finding in found:
        console().print(f"{finding.name}: {finding.text}", markup=False)
    left = sum(not finding.mended for finding in found)
    if left:
        raise MapError(f"{location}: {left} of {len(found)} findings are left to you; see above")
    console().print(f"{location}: all is well; mended {len(found)}", markup=False)


def parsed_hint(place: str | None, near: str | None) -> Hint | None:
    """The hint that options give, None without any. Raises OptionError."""
    if near is None:
        return None if place is None else Hint(place=place)
    latitude, longitude, radius = _numbers(near, 3, "near", "LAT,LON,METERS")
    return Hint(place, latitude, longitude, radius)


def _numbers(text: str, count: int, option: str, form: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise OptionError(f"--{option} {text!r}: give {form} in numbers, with =: --{option}={form}")
    return numbers
