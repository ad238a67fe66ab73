"""Values of a JSON document from outside: each is what its reader takes it for, or refused.

Python takes ``True`` for 1, ``"3"`` for 3 where it is asked nicely, and its JSON reader lets NaN
through; a file that says so is damaged, or made to harm.
"""

import json
import math
import re
from typing import Any, NoReturn

# Characters that move the cursor or end the line, and halves of pairs; but not the halves that
# Python puts in the place of the bytes of a file name that is not UTF-8 (U+DC80 to U+DCFF).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udc7f\udd00-\udfff]")
MAX_TEXT = 4096
_MAX_DEPTH = 32
_MAX_INTEGER = 2**63


def parsed_json(text: str) -> Any:
    """The value of strict JSON.

    Raises:
        ValueError: no JSON, NaN or a number beyond float64, a key that occurs twice, or brackets
            within brackets without end.
    """
    try:
        return json.loads(
            text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_unique
        )
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} in JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large in JSON")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key twice in JSON")
    return record


def integer(value: Any, name: str, *, least: int = 0, most: int) -> int:
    """The value, a whole number within bounds; ValueError if it is anything else."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"impossible {name}")
    return value


def number(value: Any, name: str, *, least: float, most: float) -> float:
    """The value, a number within bounds; ValueError if it is anything else."""
    if type(value) not in (int, float) or not least <= value <= most:
        raise ValueError(f"impossible {name}")
    return float(value)


def text(value: Any, name: str, *, most: int = MAX_TEXT) -> str:
    """The value, a text on one line of at most so many characters; else ValueError."""
    if not isinstance(value, str) or len(value) > most or _UNPRINTABLE.search(value):
        raise ValueError(f"impossible {name}")
    return value


def items(value: Any, name: str, *, most: int) -> list[Any]:
    """The value, a list of at most so many; else ValueError."""
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"impossible {name}")
    return value


def record(value: Any, name: str) -> dict[str, Any]:
    """The value, a JSON object; else ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"impossible {name}")
    return value


def check_modest(value: Any, name: str, *, most: int) -> None:
    """Makes sure that a JSON value is small: for what is only shown to people.

    Args:
        value: of any JSON type.
        name: for the error.
        most: values and characters in it.

    Raises:
        ValueError: more than that, nested over 32 deep, texts that would upset a terminal, or
            integers beyond 64 bits.
    """
    waiting, size = [(value, 0)], 1
    while waiting:
        part, depth = waiting.pop()
        inner: list[Any] = []
        if isinstance(part, str):
            size += len(text(part, name, most=most))
        elif isinstance(part, dict):
            inner = [*part, *part.values()]
        elif isinstance(part, list):
            inner = part
        elif isinstance(part, int):
            integer(int(part), name, least=-_MAX_INTEGER, most=_MAX_INTEGER)
        size += len(inner)
        if size > most or depth > _MAX_DEPTH:
            raise ValueError(f"impossible {name}")
        waiting += [(value, depth + 1) for value in inner]


def printable(value: Any) -> Any:
    """A JSON value whose texts ``text`` takes: what it would refuse becomes U+FFFD."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value
