"""Point clouds as PLY files, which every viewer of points opens."""

from pathlib import Path

import numpy as np

from reloc.files import atomic_file
from reloc.view.point_cloud import PointCloud


def write_ply(path: Path, cloud: PointCloud) -> None:
    """Writes a binary little-endian PLY with ``x y z nx ny nz red green blue``.

    Positions are single precision, or double where the world's origin is so far away that single
    precision would show.

    Raises:
        OutputError: the file cannot be written.
    """
    size = float(np.ptp(cloud.points, axis=0).max(initial=0.0)) if len(cloud) else 0.0
    far = float(np.abs(cloud.points).max(initial=0.0)) > 100 * size
    name, kind = ("double", "<f8") if far else ("float", "<f4")
    position = [(axis, kind) for axis in "xyz"]
    normal = [(f"n{axis}", "<f4") for axis in "xyz"]
    colour = [(channel, "u1") for channel in ("red", "green", "blue")]
    rows = np.empty(len(cloud), dtype=position + normal + colour)
    parts = ((position, cloud.points), (normal, cloud.normals), (colour, cloud.colours))
    for fields, values in parts:
        for (field, _), column in zip(fields, values.T, strict=True):
            rows[field] = column
    types = {kind: name, "<f4": "float", "u1": "uchar"}
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(cloud)}",
        *(f"property {types[kind]} {field}" for field, kind in position + normal + colour),
        "end_header",
    ]
    with atomic_file(Path(path)) as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(rows.tobytes())
