"""The layers of the code: each folder imports only from those that CONTRIBUTING lists before it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "reloc"
# Files of the package itself, which hand out names or call the command line.
ENTRANCES = {"__init__", "__main__"}


@cache
def statements(path: Path) -> list[ast.AST]:
    """All nodes of a file that import something."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def listed_layers() -> list[str]:
    """The folders and files of CONTRIBUTING's layout, in order."""
    layout = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1]
    return re.findall(r"^  ([a-z_]+)(?:\.py|/) ", layout, flags=re.MULTILINE)


def imported_layers(path: Path) -> set[str]:
    """What a file imports of the package: names of folders and files right below it."""
    found: set[str] = set()
    for node in statements(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = (
                [node.module]
                if node.module != "reloc"
                else [f"reloc.{alias.name}" for alias in node.names]
            )
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        found |= {m.split(".")[1] for m in modules if m.startswith("reloc.")}
    return found


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


SOURCES = [p for p in sorted(PACKAGE.rglob("*.py")) if layer_of(p) not in ENTRANCES]


def test_the_layout_names_every_folder_and_file():
    assert sorted(listed_layers()) == sorted({layer_of(path) for path in SOURCES})


@pytest.mark.parametrize("layer", listed_layers())
def test_imports_go_downwards(layer):
    order = listed_layers()
    above = set(order[order.index(layer) + 1 :])
    upwards = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in SOURCES
        if layer_of(path) == layer
        for name in imported_layers(path) & above
    }
    assert not upwards


def test_relative_imports_do_not_hide_layers():
    relative = [
        path
        for path in SOURCES
        for node in statements(path)
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative
