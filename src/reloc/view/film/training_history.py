"""How a map grew, as a file: what it takes to film the mapping afterwards, or again."""

from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import torch

from reloc.errors import MapError
from reloc.files import StrPath
from reloc.tensor_files import Layout, open_tensors, write_tensors
from reloc.view.film.recording import Recording, Snapshot

FORMAT = "reloc-growth-1"
MAX_BYTES = 1024**3
_KEYS = frozenset({"format"})


def write_training_history(recording: Recording, path: StrPath) -> None:
    """Writes a recording, some 10 MB for 72 snapshots.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {
        "points": recording.points,
        "origin": recording.origin,
        "scale": np.array([recording.scale]),
        "colours": recording.colors,
        "eyes": recording.eyes,
        "snapshots": np.array([astuple(snapshot) for snapshot in recording.snapshots], np.float64),
    }
    whole = {n: torch.from_numpy(np.ascontiguousarray(array)) for n, array in tensors.items()}
    write_tensors(path, whole, {"format": FORMAT})


def read_training_history(path: StrPath) -> Recording:
    """Reads what ``write_training_history`` wrote.

    Raises:
        MapError: no such file, another kind of file, or a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise MapError(f"{path}: cannot be read; name a file that `reloc map --growth` wrote")
    if path.stat().st_size > MAX_BYTES:
        raise MapError(f"{path}: too large for the growth of a map")
    try:
        with open_tensors(path) as file:
            if file.metadata.get("format") != FORMAT:
                raise MapError(f"{path}: is not what `reloc map --growth` writes")
            moments, cells, _ = file.layouts["points"].shape
            expected = {
                "points": Layout("F16", (moments, cells, 3)),
                "origin": Layout("F64", (3,)),
                "scale": Layout("F64", (1,)),
                "colours": Layout("U8", (cells, 3)),
                "eyes": Layout("F64", (cells, 3)),
                "snapshots": Layout("F64", (moments, len(fields(Snapshot)))),
            }
            stored = {n: t.numpy() for n, t in file.read(expected, plain=_KEYS).items()}
        if not (moments and cells and stored["scale"][0] > 0):
            raise ValueError("nothing recorded")
        if not all(np.isfinite(array).all() for array in stored.values()):
            raise ValueError("numbers that are not finite")
    except (KeyError, ValueError) as error:
        raise MapError(
            f"{path}: damaged, it cannot be read; record the growth again with `reloc map --growth`"
        ) from error
    snapshots = stored["snapshots"]
    return Recording(
        stored["points"],
        stored["origin"],
        float(stored["scale"][0]),
        stored["colours"],
        stored["eyes"],
        tuple(Snapshot(s, f, int(n), *rest) for s, f, n, *rest in snapshots.tolist()),
    )
