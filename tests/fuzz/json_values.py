"""Changes of JSON: any value anywhere, with what Python's own writer would not write."""

import json
from random import Random
from typing import Any

from tests.fuzz.raw_bytes import Change

# Written in the place of a text that holds its key.
_RAW = {
    "@huge@": "1e400",
    "@minus-huge@": "-1e400",
    "@digits@": "9" * 400,
    "@many-digits@": "9" * 5000,
    "@deep@": "[" * 3000 + "]" * 3000,
    "@deeper@": "[" * 100_000 + "]" * 100_000,
    "@deep-object@": '{"a":' * 3000 + "1" + "}" * 3000,
    "@twice@": '{"a": 1, "a": 2}',
}
_TEXTS = ("", "\ud800", "a\0b", "[/x]", "../../x", "/etc/passwd", "x" * 5000, "\n", "\u2028", "nan")


def any_value(rng: Random) -> Any:
    """A value that few readers expect."""
    return rng.choice(
        (
            *(
                None,
                True,
                False,
                0,
                -1,
                1,
                8192,
                2**31,
                2**63,
                2**64,
                -(2**63) - 1,
                0.5,
                -0.0,
                1e308,
            ),
            *(float("nan"), float("inf"), -float("inf")),
            *(_RAW.keys()),
            *_TEXTS,
            *([], {}, [None], [[]], [1, [2]], [[1, 2], [3]], [0.0] * 16, {"": 0}),
            *([[0.0] * 4] * 4, [[1e308] * 4] * 4, [["1"] * 4] * 4),
        )
    )


def value_changed(rng: Random, value: Any) -> Any:
    """A copy of a JSON value in which one part is something else."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places:
        return any_value(rng)
    holder, key = rng.choice(places)
    match rng.randrange(8):
        case 0 if isinstance(holder, dict):
            holder["\ud800" if rng.random() < 0.2 else f"{key}x"] = holder.pop(key)
        case 0 | 1:
            del holder[key]
        case 2 if isinstance(holder, list):
            holder[key:key] = [holder[key]] * rng.choice((1, 1, 40))
        case 2 | 3:
            other, there = rng.choice(places)
            holder[key] = other[there] if other is not holder else any_value(rng)
        case 4:
            holder[key] = rng.choice((str, repr, lambda v: [v], lambda v: {"a": v}))(holder[key])
        case _:
            holder[key] = any_value(rng)
    return value


def _places(value: Any) -> Any:
    """Every (holder, key) in a JSON value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def written(value: Any) -> str:
    """The text of a value, with what JSON does not know written as it would be in the wild."""
    text = json.dumps(value)
    for name, raw in _RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text


def json_changed(rng: Random, content: bytes) -> bytes:
    """A JSON text with one or a few values changed."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        value = value_changed(rng, value)
    return written(value).encode("utf-8", "surrogatepass")


def json_lines_changed(rng: Random, content: bytes) -> bytes:
    """A line of a file of JSON lines with a value changed."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    lines[at] = json_changed(rng, lines[at])
    return b"\n".join(lines)


CHANGES: tuple[Change, ...] = (json_changed,) * 6
LINE_CHANGES: tuple[Change, ...] = (json_lines_changed,) * 6
