"""``reloc compare``: several evaluations side by side."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.cli.arguments import Omittable, Several
from reloc.cli.console import console
from reloc.evaluation import read_evaluation
from reloc.evaluation.comparison import compare as compared
from reloc.evaluation.comparison_table import comparison_table
from reloc.files import check_writable


def compare(
    evaluations: Annotated[Several[Path], tyro.conf.arg(metavar="EVAL.json...")],
    /,
    *,
    report: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None,
) -> None:
    """Put evaluations of the same queries side by side, and say which differences are real.

    Args:
        evaluations: Files that `reloc eval --json` wrote; the others are held against the first.
        report: Write a page with curves and the frames that differ to this folder.
    """
    if report is not None:
        check_writable(report / "index.html")
    found = [read_evaluation(path) for path in evaluations]
    comparison = compared(found, _labels(evaluations, [e.map_name for e in found]))
    screen = console()
    screen.print(comparison_table(comparison))
    if report is not None:
        from reloc.view.comparison_page import write_comparison_page

        write_comparison_page(report / "index.html", comparison)
        screen.print(f"report: {report / 'index.html'}", markup=False)


def _labels(paths: tuple[Path, ...], maps: list[str]) -> list[str]:
    """Names of the maps where they tell the evaluations apart, else of the files."""
    names = [name.removesuffix(".safetensors") for name in maps]
    for labels in (names, [path.stem for path in paths], [path.as_posix() for path in paths]):
        if all(labels) and len(set(labels)) == len(labels):
            return labels
    return [f"{number}: {path.stem}" for number, path in enumerate(paths, start=1)]
