"""Localize every tenth frame of a video and print where its camera was.

python examples/localize_video.py kitchen.safetensors walk.mp4 [EVERY]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from reloc import Localizer, Query
from reloc.images.sources import named_images


def main(map_file: str, video: str, every: str = "10") -> None:
    localizer = Localizer.from_file(map_file)

    # Frames are decoded as they are needed; only their names and times are kept.
    times = {}

    def queries() -> Iterator[Query]:
        for frame in named_images([Path(video)], every=int(every)):
            times[frame.name] = frame.time
            yield Query(frame.name, frame.image)

    for estimate in localizer.localize_many(queries()):
        line = f"{times[estimate.image]:8.2f} s"
        if estimate.localized:
            x, y, z = estimate.world_from_cam[:3, 3]
            print(f"{line}  {x:8.3f} {y:8.3f} {z:8.3f}  confidence {estimate.confidence:.2f}")
        else:
            print(f"{line}  lost: {estimate.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
