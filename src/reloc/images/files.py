"""Image files: size and pixels.

Pixels are taken as stored: the EXIF orientation is ignored, as COLMAP does, since poses and
intrinsics belong to the stored image.

OpenCV is given bytes and never names: it takes no name that is not UTF-8.
"""

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from reloc.errors import ImageError
from reloc.files import StrPath
from reloc.images.pillow import opened
from reloc.images.sixteen_bits import narrow_range, stretched
from reloc.sampling import evenly

MAX_PIXELS = 120_000_000
MAX_BYTES = 512 * 1024 * 1024
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_LOOKED_AT = 3

NO_IMAGE = "no such image"
# What stands in a file of a repository until a large-file store has fetched it.
_POINTER = b"version https://git-lfs.github.com/spec/"
# Folders with copies and leftovers that archivers and file servers make.
_LITTER = ("__MACOSX", "@eaDir", "lost+found")


def is_litter(path: Path) -> bool:
    """Whether a file or folder is none that a user put there: hidden, such as ``._photo.jpg``."""
    return path.name.startswith(".") or path.name in _LITTER


def _content(path: Path, *, most: int = -1) -> bytes:
    """The bytes of a file that may be an image, at most so many.

    Raises:
        ImageError: it is no file, empty, too large, or cannot be read.
    """
    try:
        # Looked at before it is opened: to open a pipe would wait for a writer.
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or device"
            if kind == "a folder" and not os.access(path, os.R_OK | os.X_OK):
                kind += " that cannot be listed"
            raise ImageError(f"{path}: {NO_IMAGE}; this is {kind}")
        size = found.st_size
        if size == 0:
            raise ImageError(f"{path}: the file is empty; restore it or remove it")
        if size > MAX_BYTES:
            raise ImageError(f"{path}: {size >> 20} MiB is over the limit of {MAX_BYTES >> 20} MiB")
        with path.open("rb") as file:
            return file.read(most)
    except (FileNotFoundError, NotADirectoryError) as error:
        link = "; this is a link to nothing" if path.is_symlink() else ""
        raise ImageError(f"{path}: {NO_IMAGE}{link}") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); restore it") from error
    except (ValueError, MemoryError) as error:  # a name that no file can have; too little memory
        raise ImageError(f"{path}: cannot be read ({error or 'out of memory'})") from error


def image_size(path: StrPath) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        ImageError: no such file, empty, no known format, or too large to be a photo.
    """
    path = Path(path)
    _content(path, most=1)
    return _header_size(path, path)


def _header_size(path: Path, source: Path | io.BytesIO) -> tuple[int, int]:
    try:
        with opened(source) as image:
            width, height = image.size
    except UnidentifiedImageError as error:
        if _content(path, most=len(_POINTER)) == _POINTER:
            raise ImageError(
                f"{path}: a pointer of a large-file store, not the image; fetch the images with "
                "`git lfs pull`"
            ) from error
        raise ImageError(
            f"{path}: not a readable image (no known format); convert it again"
        ) from error
    except (
        OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError
    ) as error:  # fmt: skip
        raise ImageError(f"{path}: not a readable image ({error}); convert it again") from error
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: {width}x{height} is over {MAX_PIXELS // 10**6} megapixels")
    return width, height


def read_image(path: StrPath, *, gray: bool = False) -> NDArray[np.uint8]:
    """Pixels of an image: (H, W) grey or (H, W, 3) RGB, uint8.

    An image of 16 bits that uses little of its range is stretched, see ``sixteen_bits``.

    Raises:
        ImageError: as ``image_size``, or the pixels are damaged or more than OpenCV takes.
    """
    path = Path(path)
    content = _content(path)
    _header_size(path, io.BytesIO(content))
    flags = (cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = _decoded(path, content, flags | cv2.IMREAD_ANYDEPTH)
    if pixels is not None and pixels.dtype == np.uint16:
        narrow = narrow_range(pixels)
        pixels = _decoded(path, content, flags) if narrow is None else stretched(pixels, *narrow)
    elif pixels is not None and pixels.dtype != np.uint8:
        pixels = _decoded(path, content, flags)
    if pixels is None or _jpeg_ends_early(content):
        raise ImageError(f"{path}: the image is damaged or cut short; restore it or remove it")
    return pixels if gray else np.ascontiguousarray(pixels[:, :, ::-1])


def _decoded(path: Path, content: bytes, flags: int) -> NDArray[Any] | None:
    """Pixels of an image file, None if it is damaged."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        width, height = _header_size(path, io.BytesIO(content))
        raise ImageError(
            f"{path}: {width}x{height} pixels are more than can be decoded here; make it smaller"
        ) from error


def stretch_notes(paths: Sequence[Path]) -> tuple[str, ...]:
    """What to tell of images of 16 bits that are stretched to 8, once; looks at a few of them."""
    for path in evenly(paths, _LOOKED_AT):
        try:
            used = _stretched_range(Path(path))
        except ImageError:
            continue
        if used is not None:
            return (
                "images of 16 bits that use little of their range are stretched to 8, each by "
                f"itself; {Path(path).name} holds {used[0]} to {used[1]}",
            )
    return ()


def _stretched_range(path: Path) -> tuple[int, int] | None:
    """What an image of 16 bits that is stretched uses of its range; None for all others."""
    start = _content(path, most=25)
    # A PNG tells its depth here; of the others only these may have 16 bits.
    if not (start[24] == 16 if start[:4] == b"\x89PNG" and len(start) == 25 else
            start[:2] in (b"II", b"MM", b"P2", b"P3", b"P5", b"P6")):  # fmt: skip
        return None
    content = _content(path)
    _header_size(path, io.BytesIO(content))
    pixels = _decoded(path, content, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    return None if pixels is None or pixels.dtype != np.uint16 else narrow_range(pixels)


def _jpeg_ends_early(content: bytes) -> bool:
    """Whether a JPEG was cut short, which OpenCV does not tell: it fills up with grey."""
    if not content.startswith(b"\xff\xd8") or content.endswith(b"\xff\xd9"):
        return False
    # Some cameras leave out the end marker or append data of their own: let Pillow decide.
    try:
        with opened(io.BytesIO(content)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, MemoryError):
        return True
    return False


def write_image(path: StrPath, pixels: NDArray[Any], *, quality: int = 95) -> None:
    """Writes pixels, grey or RGB, in the format of the suffix; the caller sees to atomicity.

    Args:
        path: where to; its suffix tells the format.
        pixels: (H, W) or (H, W, 3) RGB, in 8 bits or, for PNG and TIFF, in 16.
        quality: of a JPEG.

    Raises:
        OSError: it cannot be written, or the pixels do not fit the format.
    """
    path = Path(path)
    path.write_bytes(encoded_image(pixels, path.suffix, quality=quality))


def encoded_image(pixels: NDArray[Any], suffix: str, *, quality: int = 95) -> bytes:
    """The content of an image file; arguments and errors as of ``write_image``."""
    ordered = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    jpeg = suffix.lower() in (".jpg", ".jpeg")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if jpeg else []
    try:
        done, data = cv2.imencode(suffix, ordered, options)
    except cv2.error as error:
        raise OSError(f"the pixels could not be encoded as {suffix}") from error
    if not done:
        raise OSError(f"the pixels could not be encoded as {suffix}")
    return bytes(data)


def read_depth(path: StrPath) -> NDArray[np.uint16] | NDArray[np.float32]:
    """A single-channel depth image (H, W), as stored: 8 or 16 bits, or floats of a TIFF.

    Raises:
        ImageError: as ``read_image``, or the image has several channels.
    """
    path = Path(path)
    content = _content(path)
    _header_size(path, io.BytesIO(content))
    pixels = _decoded(path, content, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError(f"{path}: the depth image is damaged or cut short")
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ImageError(f"{path}: depth must be a single channel of 8 or 16 bits, or of floats")
    return pixels if pixels.dtype == np.float32 else pixels.astype(np.uint16)
