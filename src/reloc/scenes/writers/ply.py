"""Points as PLY files, which every viewer of points opens."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.files import StrPath, atomic_file
from reloc.scenes.scene import Array


def write_points(
    path: StrPath,
    points: Array,
    colors: NDArray[np.uint8],
    *,
    normals: NDArray[np.float32] | None = None,
) -> None:
    """Writes a binary little-endian PLY with ``x y z``, ``nx ny nz`` if given, ``red green blue``.

    Positions are single precision, or double where the world's origin is so far away that single
    precision would show.

    Args:
        path: the file.
        points: (N, 3).
        colors: (N, 3) RGB.
        normals: (N, 3).

    Raises:
        OutputError: the file cannot be written.
    """
    size = float(np.ptp(points, axis=0).max(initial=0.0)) if len(points) else 0.0
    far = float(np.abs(points).max(initial=0.0)) > 100 * size
    columns: list[tuple[str, Sequence[str], NDArray[np.generic]]] = [
        ("double" if far else "float", "xyz", points)
    ]
    if normals is not None:
        columns.append(("float", ("nx", "ny", "nz"), normals))
    columns.append(("uchar", ("red", "green", "blue"), colors))
    types = {"double": "<f8", "float": "<f4", "uchar": "u1"}
    rows = np.empty(
        len(points), dtype=[(name, types[kind]) for kind, names, _ in columns for name in names]
    )
    for _, names, values in columns:
        for name, column in zip(names, values.T, strict=True):
            rows[name] = column
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(points)}",
        *(f"property {kind} {name}" for kind, names, _ in columns for name in names),
        "end_header",
    ]
    with atomic_file(Path(path)) as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(rows.tobytes())
