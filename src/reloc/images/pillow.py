"""Pillow without its warnings: of damaged tags, which say nothing then, and of large images."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from PIL import Image

# What is to be ignored is noted for the whole process.
_ONE_AT_A_TIME = Lock()


@contextmanager
def opened(source: Path | io.BytesIO) -> Iterator[Image.Image]:
    """Yields an open image; nothing that is done with it in the block warns.

    Raises whatever Pillow does, which is many kinds of errors.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            yield image
