"""What image files tell beside their pixels: finding positions, and copies without any of it.

Files are cut, not encoded anew, so that pixels stay as they are: of JPEG, PNG and WebP only those
parts are kept that decoding needs, colour profiles among them. Formats without such parts are
encoded anew without loss, and compared.
"""

import io
import re
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from reloc.errors import ImageError
from reloc.images.files import image_size
from reloc.images.pillow import opened

_PNG = b"\x89PNG\r\n\x1a\n"
# What changes how pixels look; everything else is text, times, EXIF or private.
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP mDCV cLLI".split()
)
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_EXIF_AND_XMP = 0x0C  # flags in the first byte of VP8X
# Segments of a JPEG that applications add, and those of them without which colours would change.
_APP, _COMMENT = range(0xE0, 0xF0), 0xFE
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_START_OF_SCAN, _END = 0xDA, 0xD9
# In the data of a scan 0xFF is followed by zero, a restart marker or another 0xFF.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ENCODED_ANEW = (".tif", ".tiff", ".bmp", ".ppm", ".pgm")


def tells_position(path: Path) -> bool:
    """Whether an image file tells where on Earth it was taken, in EXIF or XMP.

    Files that cannot be read tell nothing.
    """
    try:
        with opened(path) as image:
            position = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            texts = [image.info.get("xmp"), image.info.get("XML:com.adobe.xmp")]
    except (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        struct.error,
        Image.DecompressionBombError,
    ):
        return False
    described = any(
        b"GPSLatitude" in (text.encode() if isinstance(text, str) else text)
        for text in texts
        if isinstance(text, str | bytes)
    )
    return ExifTags.GPS.GPSLatitude in position or described


def write_without_metadata(source: Path, target: Path) -> None:
    """Copies an image without EXIF, XMP, IPTC, comments, thumbnails and appended data.

    Pixels are the same bit for bit. The EXIF orientation goes as well; poses and intrinsics belong
    to the pixels as stored.

    Raises:
        ImageError: as ``image_size``; the file is damaged, or its format cannot be stripped.
        OSError: the target cannot be written.
    """
    image_size(source)
    data = source.read_bytes()
    try:
        if data.startswith(b"\xff\xd8"):
            stripped = _jpeg(data)
        elif data.startswith(_PNG):
            stripped = _png(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            stripped = _webp(data)
        else:
            stripped = _encoded_anew(data, source)
    except (IndexError, ValueError, struct.error) as error:
        raise ImageError(
            f"{source}: the image is damaged or cut short; restore it or remove it"
        ) from error
    target.write_bytes(stripped)


def _jpeg(data: bytes) -> bytes:
    parts, at = [data[:2]], 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker where one belongs")
        marker = data[at + 1]
        if marker == _END:
            # Other pictures, films and depth may follow, with metadata of their own.
            return b"".join([*parts, data[at : at + 2]])
        (size,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + size
        segment = data[at:end]
        if marker == _START_OF_SCAN:
            following = _NEXT_MARKER.search(data, end)
            if following is None:  # some cameras leave the end marker out
                return b"".join([*parts, data[at:]])
            end = following.start()
            parts.append(data[at:end])
        elif marker == 0xE0 and size >= 16 and segment[4:].startswith(_JPEG_KEPT[marker]):
            parts.append(b"\xff\xe0\x00\x10" + segment[4:16] + b"\0\0")  # no thumbnail
        elif marker not in (*_APP, _COMMENT) or (
            marker in _JPEG_KEPT and segment[4:].startswith(_JPEG_KEPT[marker])
        ):
            parts.append(segment)
        at = end


def _png(data: bytes) -> bytes:
    parts, at, kind = [_PNG], len(_PNG), b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise ValueError("a chunk is cut short")
        if kind in _PNG_KEPT:
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _webp(data: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", data, 4)
    parts, at, stop = list[bytes](), 12, min(8 + size, len(data))
    while at < stop:
        kind, size = struct.unpack_from("<4sI", data, at)
        end = at + 8 + size + size % 2
        chunk = bytearray(data[at:end])
        if kind == b"VP8X":
            chunk[8] &= ~_WEBP_EXIF_AND_XMP
        if kind in _WEBP_KEPT:
            parts.append(bytes(chunk))
        at = end
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _encoded_anew(data: bytes, path: Path) -> bytes:
    suffix = path.suffix.lower()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    encoded = None
    if pixels is not None and suffix in _ENCODED_ANEW:
        _, encoded = cv2.imencode(suffix, pixels)
        again = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        same = again is not None and again.dtype == pixels.dtype and np.array_equal(again, pixels)
        if not same or _mode(encoded.tobytes()) != _mode(data):
            encoded = None
    if encoded is None:
        raise ImageError(
            f"{path}: metadata cannot be taken out of such a file; convert it to JPEG or PNG"
        )
    return encoded.tobytes()


def _mode(data: bytes) -> tuple[str, int]:
    """The meaning of the channels, and how many pictures the file holds."""
    with opened(io.BytesIO(data)) as image:
        return image.mode, getattr(image, "n_frames", 1)
