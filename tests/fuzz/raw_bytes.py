"""Changes of any file: bits, blocks and numbers, without knowing what it is."""

import struct
from collections.abc import Callable
from random import Random

Change = Callable[[Random, bytes], bytes]

INTEGERS = (
    *(0, 1, 2, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
_FLOATS = (float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 1e-320, 1e20, 0.0, -1.0)


def bits_flipped(rng: Random, content: bytes) -> bytes:
    """Up to eight bits are the other way round."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def block_zeroed(rng: Random, content: bytes) -> bytes:
    """A stretch is all zeros, or all ones."""
    begin, end = _block(rng, content)
    return content[:begin] + rng.choice((b"\0", b"\xff")) * (end - begin) + content[end:]


def block_cut(rng: Random, content: bytes) -> bytes:
    """A stretch is missing."""
    begin, end = _block(rng, content)
    return content[:begin] + content[end:]


def block_repeated(rng: Random, content: bytes) -> bytes:
    """A stretch is there several times."""
    begin, end = _block(rng, content)
    return content[:end] + content[begin:end] * rng.choice((1, 1, 2, 50)) + content[end:]


def blocks_swapped(rng: Random, content: bytes) -> bytes:
    """Two stretches have changed places."""
    a, b, c = sorted(rng.randint(0, len(content)) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def truncated(rng: Random, content: bytes) -> bytes:
    """The end is missing, sometimes all of it."""
    return content[: rng.choice((0, 1, len(content) - 1, rng.randint(0, len(content))))]


def inserted(rng: Random, content: bytes) -> bytes:
    """Random bytes are in between."""
    at = rng.randint(0, len(content))
    return content[:at] + rng.randbytes(rng.choice((1, 4, 64, 1000))) + content[at:]


def integer_replaced(rng: Random, content: bytes) -> bytes:
    """An integer of 8 to 64 bits is one at the edge of what it can be."""
    size = rng.choice((1, 2, 4, 8))
    order = rng.choice(("little", "big"))
    value = rng.choice(INTEGERS) % 256**size
    return _overwritten(rng, content, value.to_bytes(size, order))


def float_replaced(rng: Random, content: bytes) -> bytes:
    """A float of 32 or 64 bits is infinite, none or huge."""
    value = rng.choice(_FLOATS)
    form = "<d" if rng.random() < 0.7 or abs(value) > 1e30 else "<f"
    return _overwritten(rng, content, struct.pack(form, value))


CHANGES: tuple[Change, ...] = (
    bits_flipped,
    bits_flipped,
    block_zeroed,
    block_cut,
    block_repeated,
    blocks_swapped,
    truncated,
    inserted,
    integer_replaced,
    integer_replaced,
    float_replaced,
)


def _block(rng: Random, content: bytes) -> tuple[int, int]:
    begin = rng.randint(0, len(content))
    return begin, min(len(content), begin + rng.choice((1, 4, 16, 64, 512, 4096)))


def _overwritten(rng: Random, content: bytes, part: bytes) -> bytes:
    # Most formats have their numbers near the beginning, and aligned.
    end = max(1, len(content) - len(part) + 1)
    at = rng.randrange(min(end, 64) if rng.random() < 0.5 else end)
    if rng.random() < 0.5:
        at -= at % len(part)
    return content[:at] + part + content[at + len(part) :]
