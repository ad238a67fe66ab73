"""Changes of image files: sizes that are not theirs, with checksums that are."""

import struct
import zlib
from random import Random
from typing import Literal

from tests.fuzz.raw_bytes import Change

_SIDES = (0, 1, 2, 3, 7, 255, 4096, 16384, 65535, 100_001, 2**20 + 1, 2**31 - 1, 2**31, 2**32 - 1)


def png_changed(rng: Random, content: bytes) -> bytes:
    """A field of the header is another, or a chunk is repeated, missing or out of order."""
    chunks = _chunks(content)
    if len(chunks) < 2:
        return content
    if rng.random() < 0.6:
        header = bytearray(chunks[0][1].ljust(13, b"\0"))
        if rng.random() < 0.6:
            at = rng.choice((0, 4))
            header[at : at + 4] = struct.pack(">I", rng.choice(_SIDES))
        else:
            header[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = (chunks[0][0], bytes(header))
    else:
        at = rng.randrange(len(chunks))
        match rng.randrange(4):
            case 0:
                del chunks[at]
            case 1:
                chunks.insert(at, chunks[at])
            case 2:
                chunks.insert(
                    at,
                    (rng.choice((b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"zTXt")), rng.randbytes(30)),
                )
            case _:
                chunks.insert(rng.randrange(len(chunks)), chunks.pop(at))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 12 <= len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def side_replaced(rng: Random, content: bytes) -> bytes:
    """Wherever a small integer stands as in a header, another side of an image stands."""
    width = rng.choice((2, 4))
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    order = rng.choice(orders)
    side = rng.choice((24, 32, 48, 64)).to_bytes(width, order)
    at = content.find(side, rng.choice((0, 0, 8, 16, 20)))
    if at < 0:
        return content
    new = (rng.choice(_SIDES) % 256**width).to_bytes(width, order)
    return content[:at] + new + content[at + width :]


def jpeg_segment_changed(rng: Random, content: bytes) -> bytes:
    """A segment is missing, repeated, or of another length."""
    marks = [
        at
        for at in range(len(content) - 4)
        if content[at] == 0xFF and 0xC0 <= content[at + 1] < 0xFF
    ]
    if not marks:
        return content
    at = rng.choice(marks[:12])
    length = struct.unpack(">H", content[at + 2 : at + 4])[0]
    segment = content[at : at + 2 + length]
    match rng.randrange(3):
        case 0:
            return content[:at] + content[at + len(segment) :]
        case 1:
            return content[:at] + segment * 2 + content[at + len(segment) :]
        case _:
            new = rng.choice((0, 1, 2, 3, length + 1, 65535))
            return content[: at + 2] + struct.pack(">H", new) + content[at + 4 :]


PNG_CHANGES: tuple[Change, ...] = (*(png_changed,) * 4, side_replaced)
JPEG_CHANGES: tuple[Change, ...] = (*(jpeg_segment_changed,) * 2, *(side_replaced,) * 2)
OTHER_CHANGES: tuple[Change, ...] = (side_replaced,) * 3
