"""Localize every photo of a folder and write the poses as JSON.

python examples/localize_folder.py kitchen.safetensors photos poses.json
"""

import json
import sys
from pathlib import Path

from reloc import Localizer, Query


def main(map_file: str, folder: str, out: str) -> None:
    localizer = Localizer.from_file(map_file)
    photos = sorted(Path(folder).iterdir())

    poses = {}
    # Photos are read and poses solved in threads while the network looks at the next photo.
    for estimate in localizer.localize_many(Query(photo.name, photo) for photo in photos):
        if estimate.localized:
            assert estimate.world_from_cam is not None
            poses[estimate.image] = estimate.world_from_cam.tolist()
        else:
            print(f"{estimate.image}: {estimate.reason}")
    Path(out).write_text(json.dumps(poses, indent=1))
    print(f"{len(poses)} of {len(photos)} photos localized")


if __name__ == "__main__":
    main(*sys.argv[1:])
