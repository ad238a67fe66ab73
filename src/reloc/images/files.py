"""Image files: size and pixels.

Pixels are taken as stored: the EXIF orientation is ignored, as COLMAP does, since poses and
intrinsics belong to the stored image.
"""

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from reloc.errors import ImageError

MAX_PIXELS = 120_000_000
MAX_BYTES = 512 * 1024 * 1024
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")


NO_IMAGE = "no such image"
# What stands in a file of a repository until a large-file store has fetched it.
_POINTER = b"version https://git-lfs.github.com/spec/"
# Folders with copies and leftovers that archivers and file servers make.
_LITTER = ("__MACOSX", "@eaDir", "lost+found")


def is_litter(path: Path) -> bool:
    """Whether a file or folder is none that a user put there: hidden, such as ``._photo.jpg``."""
    return path.name.startswith(".") or path.name in _LITTER


def _checked(path: Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path}: {NO_IMAGE}")
    size = path.stat().st_size
    if size == 0:
        raise ImageError(f"{path}: the file is empty; restore it or remove it")
    if size > MAX_BYTES:
        raise ImageError(f"{path}: {size >> 20} MiB is over the limit of {MAX_BYTES >> 20} MiB")
    return path


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: no such file, empty, no known format, or too large to be a photo.
    """
    path = _checked(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns of "decompression bombs"; the limit below is ours and raises.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
    except UnidentifiedImageError as error:
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise ImageError(
                    f"{path}: a pointer of a large-file store, not the image; fetch the images "
                    "with `git lfs pull`"
                ) from error
        raise ImageError(
            f"{path}: not a readable image (no known format); convert it again"
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: not a readable image ({error}); convert it again") from error
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: {width}x{height} is over {MAX_PIXELS // 10**6} megapixels")
    return width, height


def read_image(path: Path, *, grey: bool = False) -> NDArray[np.uint8]:
    """Pixels of an image: (H, W) grey or (H, W, 3) RGB, uint8.

    Raises:
        ImageError: as ``image_size``, or the pixels are damaged.
    """
    image_size(path)
    flag = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    pixels = cv2.imread(str(path), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or _jpeg_ends_early(Path(path)):
        raise ImageError(f"{path}: the image is damaged or cut short; restore it or remove it")
    return pixels if grey else np.ascontiguousarray(pixels[:, :, ::-1])


def _jpeg_ends_early(path: Path) -> bool:
    """Whether a JPEG was cut short, which OpenCV does not tell: it fills up with grey."""
    with path.open("rb") as file:
        is_jpeg = file.read(2) == b"\xff\xd8"
        file.seek(-2, os.SEEK_END)
        if not is_jpeg or file.read() == b"\xff\xd9":
            return False
    # Some cameras leave out the end marker or append data of their own: let Pillow decide.
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        return True
    return False


def read_depth(path: Path) -> NDArray[np.uint16] | NDArray[np.float32]:
    """A single-channel depth image (H, W), as stored: 8 or 16 bits, or floats of a TIFF.

    Raises:
        ImageError: as ``read_image``, or the image has several channels.
    """
    image_size(path)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError(f"{path}: the depth image is damaged or cut short")
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{path}: depth must be a single channel of 8 or 16 bits, or of floats")
    return pixels if pixels.dtype == np.float32 else pixels.astype(np.uint16)
