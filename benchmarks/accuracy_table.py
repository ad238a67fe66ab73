"""The rows of accuracy.py as a markdown table: medians over seeds, one line per method."""

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from reloc.evaluation.figures import bytes_text

Row = dict[str, Any]

# What is null in a row where the median query was not localized.
_ERRORS = ("median_percent_of_extent", "median_cm", "median_deg")
_ABSENT = "–"


def markdown(rows: Sequence[Row]) -> str:
    """The table, scenes in order of name, the methods of each in order of measurement.

    A dash stands where a figure has no meaning (centimetres without metres), ``lost`` where the
    median query was not localized.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r["scene"], r["method"] == "feature matching")):
        groups.setdefault((row["scene"], row["method"]), []).append(row)
    lines = [
        "| " + " | ".join(("scene", "method", *(title for title, _, _ in _COLUMNS))) + " |",
        "|---|---|" + "---:|" * len(_COLUMNS),
    ]
    for (scene, method), seeds in groups.items():
        many = f" (median of {len(seeds)} seeds)" if len(seeds) > 1 else ""
        cells = (_cell(key, text, seeds) for _, key, text in _COLUMNS)
        lines.append("| " + " | ".join((scene, method + many, *cells)) + " |")
    machines = dict.fromkeys(row["machine"] for row in rows)
    lines += ["", "Measured on: " + "; ".join(machines) + "."] if machines else []
    return "\n".join(lines) + "\n"


def _cell(key: str, text: Callable[[float], str], seeds: Sequence[Row]) -> str:
    values = [_value(row, key) for row in seeds]
    known = [value for value in values if value is not None]
    if not known:
        return _ABSENT
    middle = median(known)
    return text(middle) if math.isfinite(middle) else "lost"


def _value(row: Row, key: str) -> float | None:
    """A figure of a row; infinity where the query of the median error was lost."""
    if row[key] is not None or key not in _ERRORS or row["median_deg"] is not None:
        return row[key]
    meaningless = (key == "median_cm" and row["unit"] != "metre") or (
        key == "median_percent_of_extent" and not row["extent"]
    )
    return None if meaningless else math.inf


def _percent(value: float) -> str:
    return f"{value:.0f} %"


_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("mapping", "mapping_seconds", "{:.0f} s".format),
    ("map", "map_bytes", lambda value: bytes_text(int(value))),
    ("median of extent", "median_percent_of_extent", "{:.3f} %".format),
    ("median cm", "median_cm", "{:.2f}".format),
    ("median deg", "median_deg", "{:.3f}".format),
    ("2 cm, 2°", "2cm_2deg", _percent),
    ("5 cm, 5°", "5cm_5deg", _percent),
    ("0.1 %, 0.1°", "0.1%_0.1deg", _percent),
    ("1 %, 2°", "1%_2deg", _percent),
    ("3 %, 5°", "3%_5deg", _percent),
    ("per query", "seconds_per_query", "{:.2f} s".format),
)
