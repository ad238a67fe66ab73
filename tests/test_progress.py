"""The stages that long work tells of are those that the documentation lists."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def told_stages(path: Path) -> set[str]:
    """The first arguments of calls of ``progress``, and what trainings hand on as ``stage``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = node.args[:1] if called in ("progress", "_progress") else []
        given += [keyword.value for keyword in node.keywords if keyword.arg == "stage"]
        found |= {
            value.value
            for value in given
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        }
    return found


def test_every_stage_is_documented_and_no_other():
    told = set().union(*map(told_stages, (ROOT / "src" / "reloc").rglob("*.py")))
    page = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    rows = page.split("| stage |")[1].split("\n\n")[0].splitlines()[2:]
    listed = [name.strip("` ") for row in rows for name in row.split("|")[1].split(",")]
    assert {"training", "refining"} <= told
    assert sorted(listed) == sorted(told)
