"""Masks: what of an image does not belong to the place, such as people, or is no picture at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.images.files import read_image
from reloc.scenes.names import without_suffix
from reloc.scenes.raw import RawScene
from reloc.scenes.scene import Mask

Array = NDArray[np.float64]


def kept(mask: Mask, pixels: Array, *, width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels (N, 2) of an image count.

    Args:
        mask: of the image.
        pixels: of the image.
        width: of the image.
        height: of the image.

    Raises:
        ImageError: the mask is missing or damaged.
    """
    with np.errstate(invalid="ignore"):
        good = np.asarray(
            np.all(
                (pixels >= mask.border) & (pixels <= (width - mask.border, height - mask.border)),
                axis=1,
            )
        )
    if mask.path is not None and good.any():
        values = read_image(mask.path, gray=True)
        scale = np.array(values.shape[::-1]) / (width, height)
        columns, rows = np.floor(pixels[good] * scale).astype(np.intp).T
        rows = rows.clip(0, values.shape[0] - 1)
        columns = columns.clip(0, values.shape[1] - 1)
        good[good] = values[rows, columns] > 0
    return good


class MaskFolder:
    """Finds masks by the names of images: ``a/1.jpg.png`` or ``a/1.png`` for ``a/1.jpg``.

    Args:
        folder: of the masks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str) -> Mask | None:
        """The mask of an image, by its path; folders at its front may be missing."""
        parts = name.split("/")
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            for spelling in (f"{tail}.png", f"{without_suffix(tail)}.png", tail):
                if (self._folder / spelling).is_file():
                    return Mask(self._folder / spelling)
        return None


def with_masks(raw: RawScene, folder: Path) -> RawScene:
    """A scene with the masks of a folder in place of its own."""
    found = MaskFolder(folder)
    frames = tuple(replace(frame, mask=found.of(frame.name)) for frame in raw.frames)
    return replace(raw, frames=frames)
