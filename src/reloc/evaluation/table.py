"""The figures in a terminal: one column per map, so that several stand side by side."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from reloc.errors import OptionError
from reloc.evaluation.figures import figures
from reloc.evaluation.metrics import Evaluation


def evaluation_table(evaluations: Sequence[Evaluation]) -> Table:
    """A table of the field's figures, one column per evaluation.

    Recall at centimetres is listed when at least one of the scenes is metric, and is a dash for
    the others. Notes of the evaluations stand below the table.

    Raises:
        OptionError: there is nothing to show.
    """
    if not evaluations:
        raise OptionError("no evaluation to show; evaluate at least one map")
    metric = any(e.unit == "metre" for e in evaluations)
    columns = [figures(e, centimetres=metric) for e in evaluations]
    scenes = list(dict.fromkeys(e.scene_name for e in evaluations if e.scene_name))
    notes = list(dict.fromkeys(note for e in evaluations for note in e.notes))
    # Names come from folders and files: as Text they are shown, not read as markup.
    table = Table(
        title=Text(", ".join(scenes)) if scenes else None,
        caption=Text("\n".join(notes)) if notes else None,
        caption_justify="left",
    )
    table.add_column("")
    for number, evaluation in enumerate(evaluations, start=1):
        name = evaluation.map_name or f"map {number}"
        table.add_column(Text(name), justify="right", overflow="fold")
    for row, figure in enumerate(columns[0]):
        last = row + 1 == len(columns[0]) or columns[0][row + 1].group != figure.group
        table.add_row(
            figure.label, *(Text(column[row].text) for column in columns), end_section=last
        )
    return table
