"""Localize with and without measured depth, and say what depth adds to the certainty of a pose.

Each `photo.jpg` of the folder has a `photo.depth.png` beside it, in millimetres.

python examples/queries_with_depth.py kitchen.safetensors photos
"""

import sys
from pathlib import Path

import numpy as np

from reloc import Localizer, Query
from reloc.localize import DepthFile


def main(map_file: str, folder: str) -> None:
    localizer = Localizer.from_file(map_file)
    photos = sorted(Path(folder).glob("*.jpg"))

    plain = [Query(photo.name, photo) for photo in photos]
    # The unit is scene units per stored step: the map is in metres, the depth in millimetres.
    measured = [
        Query(photo.name, photo, depth=DepthFile(photo.with_suffix(".depth.png"), unit=0.001))
        for photo in photos
    ]
    for without, with_depth in zip(
        localizer.localize_many(plain), localizer.localize_many(measured), strict=True
    ):
        spreads = [
            "none" if e.covariance is None else f"{np.sqrt(np.trace(e.covariance[3:, 3:])):.4g}"
            for e in (without, with_depth)
        ]
        print(f"{without.image}: standard deviation {spreads[0]}, with depth {spreads[1]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
