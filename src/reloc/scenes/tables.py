"""Tables of captures: rows of cells between commas, with a heading or without."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reloc.errors import SceneError
from reloc.scenes.text import read_text

_UNIT = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        path: of the file.
        line: its number, from 1.
        cells: what stands under each heading, without spaces around it.
        rest: the cells beyond the last heading.
    """

    path: Path
    line: int
    cells: Mapping[str, str]
    rest: tuple[str, ...] = ()

    def number(self, heading: str) -> float:
        """A cell as a number, NaN among them. Raises SceneError if it is none."""
        return self._number(self.cells[heading], heading)

    def numbers(self, headings: str) -> list[float]:
        """Cells as numbers; headings are parted by spaces. Raises SceneError."""
        return [self.number(heading) for heading in headings.split()]

    def rest_numbers(self) -> list[float]:
        """The cells beyond the last heading as numbers. Raises SceneError."""
        return [self._number(cell, "the rest") for cell in self.rest]

    def _number(self, cell: str, heading: str) -> float:
        try:
            return float(cell)
        except ValueError as error:
            raise SceneError(
                f"{self.path}:{self.line}: {heading} is no number: {cell[:40]!r}; export it again"
            ) from error


def read_table(path: Path, headings: str, *, optional: str = "") -> list[Row]:
    """Rows of a table that begins with its headings, which may have a # before and units behind.

    Args:
        path: the file.
        headings: those that must be there, parted by spaces; upper and lower case do not matter.
        optional: those that a row has if the table has them.

    Raises:
        SceneError: as ``read_text``; a heading is missing; there are no rows, or one ends early.
    """
    lines = _lines(path)
    if not lines:
        raise SceneError(f"{path}: is empty; copy it again")
    first = _UNIT.sub("", lines[0][1].lstrip("#"))
    found = {name.strip().lower(): at for at, name in enumerate(first.split(","))}
    wanted = headings.split()
    missing = [name for name in wanted if name.lower() not in found]
    if missing:
        raise SceneError(
            f"{path}: has no column {', '.join(missing)}; copy or export it again, as CSV"
        )
    columns = {
        name: found[name.lower()] for name in (*wanted, *optional.split()) if name.lower() in found
    }
    if len(lines) == 1:
        raise SceneError(f"{path}: has no row below its headings; copy or export it again")
    rows = []
    for number, line in lines[1:]:
        cells = _cells(line)
        if len(cells) <= max(columns.values()):
            raise SceneError(
                f"{path}:{number}: ends after {len(cells)} cells; the file is cut short, copy it "
                "again"
            )
        rows.append(Row(path, number, {name: cells[at] for name, at in columns.items()}))
    return rows


def read_records(path: Path, names: str, *, at_least: int | None = None) -> list[Row]:
    """Rows of a table without headings, in which lines with a # are comments.

    Args:
        path: the file.
        names: of the cells, in their order, parted by spaces.
        at_least: how many of them a row must have, by default all; the others become empty.

    Raises:
        SceneError: as ``read_text``; a row ends early.
    """
    order: Sequence[str] = names.split()
    least = len(order) if at_least is None else at_least
    rows = []
    for number, line in _lines(path):
        if line.startswith("#"):
            continue
        cells = _cells(line)
        if len(cells) < least:
            raise SceneError(f"{path}:{number}: expected '{', '.join(order)}', got {line[:80]!r}")
        cells += [""] * (len(order) - len(cells))
        named = dict(zip(order, cells, strict=False))
        rows.append(Row(path, number, named, tuple(cells[len(order) :])))
    return rows


def _lines(path: Path) -> list[tuple[int, str]]:
    lines = enumerate((line.strip() for line in read_text(path).splitlines()), start=1)
    return [(number, line) for number, line in lines if line]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]
