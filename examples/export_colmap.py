"""Localize the photos of a folder and write them as a COLMAP model, to triangulate or render from.

python examples/export_colmap.py kitchen.safetensors photos model
"""

import sys
from pathlib import Path

from reloc import Frame, Localizer, Query
from reloc.localize.pose_files import write_poses


def main(map_file: str, folder: str, out: str) -> None:
    localizer = Localizer.from_file(map_file)
    photos = {p.name: p for p in sorted(Path(folder).iterdir())}
    estimates = list(localizer.localize_many(Query(name, p) for name, p in photos.items()))

    # The estimate says which camera its pose is for; a COLMAP model holds no photo without one.
    found = [e for e in estimates if e.localized and e.camera is not None]
    frames = [Frame(e.image, photos[e.image], e.camera, e.world_from_cam) for e in found]
    write_poses(Path(out), found, frames, format="colmap")
    print(f"{out}: {len(found)} of {len(photos)} photos")


if __name__ == "__main__":
    main(*sys.argv[1:])
