"""What the figures have in common: colours, axes and turning them into SVG for a page."""

import io
import re
from collections.abc import Iterable

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text

# Colours that can be told apart on white and on near black, also with colour-weak eyes. INK is for
# text and axes: in SVG it becomes the text colour of the page, so that figures follow its theme.
INK = "#20242b"
BLUE = "#3d85c6"
ORANGE = "#e08a3c"
RED = "#d64550"
GRAY = "#8d949e"
# Of several maps side by side, as many as are ever compared.
MAP_COLORS = (BLUE, ORANGE, "#2a9d8f", "#9467bd", RED, "#7a5c3e", "#c25aa0", GRAY)

ERROR_COLORS = LinearSegmentedColormap.from_list("errors", ["#2a9d8f", "#e5a63a", RED])


def new_figure(width: float, height: float) -> Figure:
    """A transparent figure in inches, laid out so that labels do not overlap."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def plain_axes(axes: Axes) -> None:
    """Two thin axis lines, small ticks, no frame and no background."""
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.7)
    axes.tick_params(which="both", color=INK, labelcolor=INK, labelsize=8, width=0.7)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(INK)
        label.set_fontsize(9)


def ink_text(texts: Iterable[Text]) -> None:
    """Sets texts, for instance those of a legend, in the colour of the page's text."""
    for text in texts:
        text.set_color(INK)


def plot_text(label: str) -> str:
    """A name from outside that fits along an axis; a dollar sign would begin a formula."""
    short = label if len(label) <= 28 else f"…{label[-27:]}"
    short = short.lstrip("_")  # matplotlib hides what begins with it from legends
    return short.encode("utf-8", "replace").decode("utf-8").replace("$", r"\$")


def svg(figure: Figure, *, title: str) -> Markup:
    """The figure as an ``<svg>`` element to put into an HTML page.

    Nothing in it refers to anything outside of it, not even by namespace.

    Args:
        figure: what to draw.
        title: what a screen reader says instead; must hold no markup.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace(INK, "currentColor")
    # Several figures share a page: only ids that something refers to may stay.
    used = set(re.findall(r"#([\w-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    size = re.search(r'viewBox="0 0 ([\d.]+)', text)
    width = f"{float(size[1]) * 4 / 3:.0f}px" if size else "100%"
    text = re.sub(
        r'<svg width="[^"]*" height="[^"]*"|<svg height="[^"]*"|<svg ',
        f'<svg role="img" aria-label="{title}" style="width:{width}" ',
        text,
        count=1,
    )
    # matplotlib has escaped the labels.
    return Markup(text)
