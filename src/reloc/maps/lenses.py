"""The lenses of mapping cameras in the header of a map.

The key may be missing, and an entry may be null: maps made before it say nothing of lenses.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reloc.images.lens import Lens

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
        TypeError, ValueError: they are no lenses, or not so many.
    """
    if records is None:
        return [None] * count
    if not isinstance(records, list) or len(records) != count:
        raise ValueError("lenses of other cameras")
    return [None if record is None else _lens_of(record) for record in records]


def _lens_of(record: Any) -> Lens:
    values = {name: record.get(name, default) for name, default in _NOTHING.items()}
    if not all(isinstance(values[name], str) for name in ("make", "model")):
        raise TypeError("a camera whose name is no text")
    for name in ("focal_mm", "equivalent_mm", "zoom"):
        values[name] = None if values[name] is None else float(values[name])
    if values["turn"] is not None:
        values["turn"] = int(values["turn"])
    return Lens(**values)
