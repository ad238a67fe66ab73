"""Grey images that are kept once they were decoded, as far as memory allows."""

import os
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from reloc.images.files import read_image

Gray = NDArray[np.uint8]

# 1700 images of 640x480, or 80 of 6 megapixels; and more where so much of the memory is free.
LEAST_BYTES = 512 * 1024 * 1024
SHARE_OF_FREE = 0.1


def room() -> int:
    """Bytes that may be kept on this machine."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # macOS and Windows do not tell
        free = 0
    return max(LEAST_BYTES, int(SHARE_OF_FREE * free))


def read_gray(path: Path) -> Gray:
    """The pixels (H, W) of an image file; see ``read_image`` for errors."""
    return read_image(path, gray=True)


class ImageCache:
    """Reads images for passes over all of them, and decodes those that fit only once.

    The first to come stay. In passes over more images than fit, the least recently used one would
    be the very next to be wanted. Safe to be asked by several threads at a time.

    Args:
        max_bytes: of all pixels that are kept; by default what there is room for.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self._left = room() if max_bytes is None else max_bytes
        self._kept: dict[Path, Gray] = {}
        self._lock = Lock()

    def read(self, path: Path) -> Gray:
        """The pixels (H, W) of an image file, which are shared and must not be changed.

        Raises:
            ImageError: see ``read_image``.
        """
        if (kept := self._kept.get(path)) is not None:
            return kept
        image = read_gray(path)
        with self._lock:
            if path not in self._kept and image.nbytes <= self._left:
                self._kept[path] = image
                self._left -= image.nbytes
        return image
