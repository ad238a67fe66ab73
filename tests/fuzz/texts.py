"""Changes of text files: numbers that are none, names that lead astray, lines in disorder."""

import re
from random import Random

from tests.fuzz.raw_bytes import Change

NUMBERS = (
    *("nan", "inf", "-inf", "1e400", "-1e400", "1e308", "-1e308", "1e-320", "-1", "0", "-0.0"),
    *(str(2**31), str(2**63), str(-(2**63) - 1), str(2**64), "", "9" * 400, "9" * 5000),
    *("1_000", "0x10", "٣", "1,5", "1e", "+", ".", "1e9", "1e-9", "100000", "0.5"),
)
WORDS = (
    *("../../../../etc/passwd", "/etc/passwd", "..", ".", "a\0b", "\ud800", "[/x]", "[bold"),
    *("\x1b[31m", "x" * 300, "x" * 5000, "a/" * 3000, "\u2028", "\x85", "\x0b", "\x1c", "\r"),
    *("C:\\x", "~", "-", "--help", "#", "%s", "{0}", "\ufeff", "é", "OPENCV", "inf"),
)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def text_of(content: bytes) -> str:
    """The text of a file, whatever it holds; see ``bytes_of``."""
    return content.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Back again. A lone surrogate becomes bytes that are no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def number_replaced(rng: Random, content: bytes) -> bytes:
    """One number, or a few, are something else."""
    text = text_of(content)
    for _ in range(rng.choice((1, 1, 1, 3))):
        found = list(_NUMBER.finditer(text))
        if not found:
            break
        number = rng.choice(found)
        text = text[: number.start()] + rng.choice(NUMBERS) + text[number.end() :]
    return bytes_of(text)


def word_replaced(rng: Random, content: bytes) -> bytes:
    """A word is another, is missing, or is there twice."""
    text = text_of(content)
    found = list(re.finditer(r"[^\s,;=\[\]\"]+", text))
    if not found:
        return content
    word = rng.choice(found)
    new = rng.choice((rng.choice(WORDS), rng.choice(WORDS), "", word[0] + " " + word[0]))
    return bytes_of(text[: word.start()] + new + text[word.end() :])


def lines_disordered(rng: Random, content: bytes) -> bytes:
    """A line is missing, repeated, moved, cut, joined with the next or very long."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines[at:at] = [lines[at]] * rng.choice((1, 1, 300))
        case 2:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        case 3:
            lines[at] = lines[at][: rng.randint(0, len(lines[at]))]
        case 4:
            lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
        case 5:
            lines[at] += b" 1" * 20_000
    return b"\n".join(lines)


def word_inserted(rng: Random, content: bytes) -> bytes:
    """A strange word stands anywhere."""
    at = rng.randint(0, len(content))
    return content[:at] + bytes_of(rng.choice(WORDS + NUMBERS)) + content[at:]


def encoded_anew(rng: Random, content: bytes) -> bytes:
    """Another encoding, other line ends, or a mark at the beginning."""
    text = text_of(content)
    match rng.randrange(5):
        case 0:
            return text.encode("utf-16", "surrogatepass")
        case 1:
            return b"\xef\xbb\xbf" + content
        case 2:
            return content.replace(b"\n", b"\r\n")
        case 3:
            return content.replace(b"\n", b"\r")
        case _:
            return text.encode("cp1252", "replace") + b"\xe9"


CHANGES: tuple[Change, ...] = (
    number_replaced,
    number_replaced,
    number_replaced,
    word_replaced,
    word_replaced,
    lines_disordered,
    word_inserted,
    encoded_anew,
)
