"""Localize frames as they arrive, one by one, and append each pose to a file in TUM's format.

The images of a folder stand for the frames of a camera here. The camera is calibrated, so its
intrinsics are given: fx in pixels, the principal point in the middle of the image.

python examples/robotics_loop.py kitchen.safetensors frames 525 trajectory.txt
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reloc import Camera, Localizer
from reloc.geometry import quaternion_from_rotation
from reloc.images.files import read_image


def arriving(folder: str) -> Iterator[tuple[float, np.ndarray]]:
    """Time in seconds and pixels (H, W, 3) of each frame, as a driver would deliver them."""
    for number, path in enumerate(sorted(Path(folder).iterdir())):
        yield number / 30, read_image(path)


def main(map_file: str, folder: str, focal: str, out: str) -> None:
    localizer = Localizer.from_file(map_file)
    with Path(out).open("w") as trajectory:
        trajectory.write("# timestamp tx ty tz qx qy qz qw\n")
        for time, image in arriving(folder):
            height, width = image.shape[:2]
            camera = Camera.pinhole(width=width, height=height, fx=float(focal))
            estimate = localizer.localize(image, camera)
            if not estimate.localized:
                continue  # a robot goes on with its odometry until a frame is found again
            pose = estimate.world_from_cam
            w, x, y, z = quaternion_from_rotation(pose[:3, :3])
            numbers = (time, *pose[:3, 3], x, y, z, w)
            trajectory.write(" ".join(f"{number:.6f}" for number in numbers) + "\n")
            trajectory.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
