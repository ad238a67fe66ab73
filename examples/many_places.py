"""Put maps of several places into a library, and let it find the place that a photo shows.

python examples/many_places.py maps photo.jpg kitchen.safetensors office.safetensors
"""

import sys
from pathlib import Path

from reloc import Query
from reloc.library import LibraryLocalizer, MapLibrary


def main(folder: str, photo: str, *map_files: str) -> None:
    library = MapLibrary(folder, create=True)
    for map_file in map_files:
        library.add(Path(map_file))  # in place of the map of that name, if there is one

    entries = library.entries()
    localizer = LibraryLocalizer(library)
    for estimate in localizer.localize_many([Query(photo, Path(photo))]):
        if estimate.localized:
            print(f"{photo} is in {estimate.place}, at {estimate.world_from_cam[:3, 3]}")
        else:
            print(f"{photo} is in none of {len(entries)} places: {estimate.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
