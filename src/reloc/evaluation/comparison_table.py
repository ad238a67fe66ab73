"""A comparison in a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from reloc.evaluation.comparison import Comparison, Interval, Measure, wins
from reloc.evaluation.figures import bytes_text, seconds_text

MARKS = {1: "▲", -1: "▼", 0: " "}


@dataclass(frozen=True)
class Row:
    """One line of a comparison: a text for each map, and whether it beats the first.

    Attributes:
        group: ``accuracy``, ``recall``, ``frames`` or ``cost``.
        label: what the line is about.
        texts: of each map.
        verdicts: as of ``comparison.Measure``.
    """

    group: str
    label: str
    texts: tuple[str, ...]
    verdicts: tuple[int, ...]


def comparison_rows(comparison: Comparison) -> Iterator[Row]:
    """What table and page both show."""
    found = comparison.evaluations
    nothing = (0,) * len(found)
    yield Row(
        "accuracy", "localized", tuple(f"{e.localized} of {e.queries}" for e in found), nothing
    )
    for measure in comparison.measures:
        texts = tuple(interval_text(measure, interval) for interval in measure.intervals)
        yield Row(measure.group, measure.label, texts, measure.verdicts)
    tallies = [wins(comparison, index) for index in range(len(found))]
    for place, label in enumerate(("nearer than the first", "less near", "neither")):
        yield Row("frames", label, ("–", *(str(t[place]) for t in tallies[1:])), nothing)
    yield Row("cost", "map size", tuple(bytes_text(e.map_bytes) for e in found), nothing)
    yield Row(
        "cost", "mapping time", tuple(seconds_text(e.mapping_seconds) for e in found), nothing
    )
    per_query = tuple(seconds_text(e.seconds_per_query["median"]) for e in found)
    yield Row("cost", "time per query", per_query, nothing)
    stages = dict.fromkeys(stage for e in found for stage in e.seconds_per_query)
    for stage in stages:
        if stage != "median":
            times = tuple(seconds_text(e.seconds_per_query.get(stage)) for e in found)
            yield Row("cost", f"of it {stage}", times, nothing)


def interval_text(measure: Measure, interval: Interval) -> str:
    """``1.52 cm (1.40–1.66)``: the unit stands once."""
    value, low, high = (measure.text(v) for v in (interval.value, interval.low, interval.high))
    unit = value.lstrip("0123456789.")
    return f"{value} ({low.removesuffix(unit)}–{high.removesuffix(unit)})"


def comparison_table(comparison: Comparison) -> Table:
    """A table with one column per map; ▲ better, ▼ worse than the first, beyond chance."""
    legend = "in brackets: 95 % confidence; ▲ better, ▼ worse than the first beyond chance"
    scene = comparison.evaluations[0].scene_name
    table = Table(
        title=Text(scene) if scene else None,
        caption=Text("\n".join((legend, *comparison.notes))),
        caption_justify="left",
    )
    table.add_column("")
    for label in comparison.labels:
        table.add_column(Text(label), justify="right", overflow="fold")
    rows = list(comparison_rows(comparison))
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        cells = [
            Text(f"{text} {MARKS[verdict]}".rstrip())
            for text, verdict in zip(row.texts, row.verdicts, strict=True)
        ]
        table.add_row(row.label, *cells, end_section=not following or following.group != row.group)
    return table
