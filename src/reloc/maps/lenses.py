"""The lenses of mapping cameras in the header of a map.

The key may be missing, and an entry may be null: maps made before it say nothing of lenses.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reloc.images.lens import FOCALS_MM, MAX_TEXT, Lens
from reloc.untrusted import integer, items, number, record, text

_NOTHING = asdict(Lens())


def lens_records(lenses: Sequence[Lens | None]) -> list[dict[str, Any] | None]:
    """Lenses as JSON has them, without the fields of which they say nothing."""
    return [
        None if lens is None else {k: v for k, v in asdict(lens).items() if v != _NOTHING[k]}
        for lens in lenses
    ]


def lenses_of(records: Any, count: int) -> list[Lens | None]:
    """The lenses of so many cameras.

    Args:
        records: what the header holds; None if it holds none.
        count: how many cameras it has.

    Raises:
        ValueError: they are no lenses, or not so many.
    """
    if records is None:
        return [None] * count
    if len(items(records, "lenses", most=count)) != count:
        raise ValueError("lenses of other cameras")
    return [None if value is None else _lens_of(record(value, "lens")) for value in records]


def _lens_of(stored: dict[str, Any]) -> Lens:
    values = {name: stored.get(name, default) for name, default in _NOTHING.items()}
    for name in ("make", "model"):
        text(values[name], "name of a camera", most=MAX_TEXT)
    for name in ("focal_mm", "equivalent_mm", "zoom"):
        if values[name] is not None:
            values[name] = number(values[name], "lens", least=0, most=FOCALS_MM[1])
    if values["turn"] is not None:
        integer(values["turn"], "turn of a lens", most=3)
    return Lens(**values)
