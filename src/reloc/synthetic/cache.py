"""Training views in files, so that rooms are rendered once and read many times."""

from dataclasses import fields
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch

from reloc.errors import SceneError
from reloc.files import atomic_path
from reloc.synthetic.training_views import TrainingViews, render_training_views


def write_views(path: Path, views: TrainingViews) -> None:
    """Writes the views of a room to an ``.npz`` file, depth in half precision (1 mm in 2 m).

    Raises:
        OutputError: the file cannot be written.
    """
    arrays = {field.name: getattr(views, field.name) for field in fields(views)}
    arrays["depths"] = views.depths.astype(np.float16)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_views(path: Path) -> TrainingViews:
    """Reads what ``write_views`` wrote.

    Raises:
        SceneError: no such file, or it holds something else.
    """
    try:
        # A changed shape would make NumPy stop reading before it compares the checksum.
        with ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError("damaged")
        with np.load(path, allow_pickle=False) as stored:
            return TrainingViews(
                **{field.name: stored[field.name] for field in fields(TrainingViews)}
            )
    except Exception as error:
        # zipfile and NumPy raise errors of a dozen kinds, whose text may hold part of the file.
        raise SceneError(
            f"{path}: no training views can be read ({type(error).__name__}); render again"
        ) from error


def cached_training_views(
    folder: Path, seed: int, *, views: int, device: str | torch.device = "cpu"
) -> TrainingViews:
    """Views of the room of a seed, from ``folder`` or rendered on ``device`` and kept there.

    Raises:
        SceneError: what the folder holds cannot be read, or the room is too full for a camera.
        OutputError: the views cannot be written.
    """
    path = folder / f"room-{seed:06d}-{views}.npz"
    if not path.exists():
        write_views(path, render_training_views(seed, views=views, device=device))
    return read_views(path)
