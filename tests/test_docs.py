"""What the documentation calls by name is there: files, and names of the package."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
# Where a path in the text may start.
STARTS = (ROOT, ROOT / "src", ROOT / "src" / "reloc")
# Entry-point groups, which are no modules.
GROUPS = {"reloc.backbones", "reloc.readers"}
CODE = ("src", "benchmarks", "examples", "tests", "docs")
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)


def quoted(text: str) -> list[str]:
    """What stands between single backticks."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", FENCED.sub("", text))]


def missing_files(text: str) -> list[str]:
    """Python files that are named but are nowhere; one without a folder may be in any."""
    names = {name for name in quoted(text) if re.fullmatch(r"[\w./-]+\.py", name)}
    return sorted(
        name
        for name in names
        if not any((start / name).is_file() for start in STARTS)
        and ("/" in name or not any(any((ROOT / f).rglob(name)) for f in CODE))
    )


def named(text: str) -> Iterator[str]:
    """Dotted names of the package, quoted or imported by examples."""
    for name in quoted(text):
        if found := re.match(r"reloc(\.\w+)+", name):
            yield found[0]
    for module, names in re.findall(
        r"^from (reloc[\w.]*) import ([\w, ]+|\([^)]+\))", text, flags=re.MULTILINE
    ):
        for name in re.findall(r"\w+(?= as |\s*[,)\n]|$)", names):
            yield f"{module}.{name}"


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, *rest = name.split(".")
    there = importlib.import_module(module)
    for part in rest:
        module = f"{module}.{part}"
        if not hasattr(there, part):
            try:
                importlib.import_module(module)
            except ImportError:
                return False
        there = getattr(there, part)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_names_of_a_page_are_there(page):
    text = page.read_text(encoding="utf-8")
    assert missing_files(text) == []
    assert [n for n in sorted(set(named(text))) if n not in GROUPS and not resolves(n)] == []


def test_what_is_gone_is_told():
    text = "`maps/gone.py`, `gone.py`, `maps/map_file.py`, `reloc.maps.gone(a)` and `reloc.Query`"
    assert missing_files(text) == ["gone.py", "maps/gone.py"]
    assert [name for name in named(text) if not resolves(name)] == ["reloc.maps.gone"]
    imported = "```\nfrom reloc.maps import (\n    SceneMap,\n    gone,\n)\n```"
    assert list(named(imported)) == ["reloc.maps.SceneMap", "reloc.maps.gone"]
