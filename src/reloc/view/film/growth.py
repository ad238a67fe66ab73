"""How a map grew, as a file: what it takes to film the mapping afterwards, or again."""

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from reloc.errors import MapError
from reloc.files import atomic_file
from reloc.view.film.recording import Recording, Snapshot

FORMAT = "reloc-growth-1"
MAX_BYTES = 1024**3
_DTYPES = {
    "points": "float16",
    "origin": "float64",
    "scale": "float64",
    "colours": "uint8",
    "eyes": "float64",
    "snapshots": "float64",
}


def write_growth(recording: Recording, path: Path) -> None:
    """Writes a recording, some 10 MB for 72 snapshots.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {
        "points": recording.points,
        "origin": recording.origin,
        "scale": np.array([recording.scale]),
        "colours": recording.colours,
        "eyes": recording.eyes,
        "snapshots": np.array([astuple(snapshot) for snapshot in recording.snapshots], np.float64),
    }
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with atomic_file(path) as file:
        file.write(save(whole, metadata={"format": FORMAT}))


def read_growth(path: Path) -> Recording:
    """Reads what ``write_growth`` wrote.

    Raises:
        MapError: no such file, another kind of file, or a damaged one.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MapError(f"{path}: too large for the growth of a map")
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise MapError(f"{path}: is not what `reloc map --growth` writes")
            stored = {name: file.get_tensor(name) for name in _DTYPES}
    except (OSError, SafetensorError) as error:
        raise MapError(
            f"{path}: cannot be read; name a file that `reloc map --growth` wrote"
        ) from error
    points, snapshots = stored["points"], stored["snapshots"]
    moments, cells = points.shape[:2] if points.ndim == 3 else (0, 0)
    shapes = {
        "points": (moments, cells, 3),
        "origin": (3,),
        "scale": (1,),
        "colours": (cells, 3),
        "eyes": (cells, 3),
        "snapshots": (moments, len(fields(Snapshot))),
    }
    sound = all(
        stored[name].shape == shapes[name]
        and stored[name].dtype == dtype
        and np.isfinite(stored[name]).all()
        for name, dtype in _DTYPES.items()
    )
    if not (moments and cells and sound and stored["scale"][0] > 0):
        raise MapError(f"{path}: damaged; record the growth again with `reloc map --growth`")
    return Recording(
        points,
        stored["origin"],
        float(stored["scale"][0]),
        stored["colours"],
        stored["eyes"],
        tuple(Snapshot(s, f, int(n), *rest) for s, f, n, *rest in snapshots.tolist()),
    )
