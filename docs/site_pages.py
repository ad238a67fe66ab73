"""Adds to the site what stands beside ``docs/`` or in the code; mkdocs runs it as a hook.

The pages of ``docs/`` and the README link to each other and to other files as the repository has
them, so that they can be read there. Here such links are turned to where the site has the same.
"""

import inspect
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import reloc

ROOT = Path(__file__).resolve().parents[1]
# Files of the repository that are pages of the site.
ADDED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.md",
    "examples/README.md": "examples.md",
    "src/reloc/backbone/data/MODEL_CARD.md": "model-card.md",
}
# Where else the site has what links of the repository mean.
ALIASES = {"docs/README.md": "index.md"}
SOURCES = {page: source for source, page in ADDED.items()}
LINK = re.compile(r"(\]\()([^)#\s]+)")
MATH = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


def on_config(config: MkDocsConfig) -> None:
    """Puts the reference into the navigation: the names that ``reloc`` exports."""
    classes = [name for name in reloc.__all__ if inspect.isclass(getattr(reloc, name))]
    others = [name for name in reloc.__all__ if name not in classes]
    assert config.nav is not None
    config.nav[2]["Python"] += [
        {kind: [{name: f"reference/{name}.md"} for name in names]}
        for kind, names in (("Functions", others), ("Classes", classes))
    ]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds the pages that are no files of ``docs/``."""
    for source, page in ADDED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "LICENSE":
            text = f"# Licence\n\n```\n{text}```\n"
        elif page == "examples.md":
            text += "".join(map(_example, sorted((ROOT / "examples").glob("*.py"))))
        files.append(File.generated(config, page, content=text))
    for name in reloc.__all__:
        page = f"reference/{name}.md"
        files.append(File.generated(config, page, content=f"::: reloc.{name}\n"))


def _example(path: Path) -> str:
    return f"\n## {path.name}\n\n```python\n{path.read_text(encoding='utf-8')}```\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between files of the repository into links between pages."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")

    def turned(match: re.Match[str]) -> str:
        start, target = match.groups()
        if ":" in target:
            return match[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if wanted.startswith("examples/") and wanted.endswith(".py"):
            return f"{start}#{posixpath.basename(wanted).replace('.', '')}"
        there = ADDED.get(wanted) or ALIASES.get(wanted) or wanted.removeprefix("docs/")
        return start + posixpath.relpath(there, posixpath.dirname(here) or ".")

    return LINK.sub(turned, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas become MathML, which browsers draw by themselves."""
    return MATH.sub(_mathml, html)


def _mathml(match: re.Match[str]) -> str:
    kind, latex = match.groups()
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        latex = latex.replace(entity, character)
    return convert(latex, display="block" if kind == "div" else "inline")
