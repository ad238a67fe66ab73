"""What stands on a picture of the film: title, figures, a curve, the colours of errors."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WHITE, SOFT, FAINT = (240, 242, 246), (160, 167, 178), (86, 92, 102)
MARGIN = 0.045  # of the picture's height


@lru_cache(maxsize=32)
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, so that films look alike on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


class Caption:
    """Writes onto a picture (H, W, 3); ``pixels()`` gives it back.

    Sizes are shares of the height, so that films of any size look alike.
    """

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        height = len(picture)
        self._image = Image.fromarray((picture * _shade(height)).astype(np.uint8))
        self._draw = ImageDraw.Draw(self._image)
        self.width, self.height = self._image.size
        self._margin = round(MARGIN * self.height)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture with what was written on it: a copy, (H, W, 3) uint8 RGB."""
        return np.asarray(self._image).copy()

    def _font(self, share: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
        return font(max(8, round(share * self.height)), bold=bold)

    def title(self, text: str, subtitle: str) -> None:
        """Top left."""
        x = y = self._margin
        self._draw.text((x, y), _short(text, 40), WHITE, self._font(0.042, bold=True), anchor="lt")
        below = y + round(0.06 * self.height)
        self._draw.text((x, below), subtitle, SOFT, self._font(0.026), anchor="lt")

    def figures(self, values: Sequence[tuple[str, str]]) -> None:
        """Bottom left, in a row: a value and below it what it is."""
        x, bottom = self._margin, self.height - self._margin
        column = round(0.2 * self.height)
        for value, label in values:
            large, small = self._font(0.046, bold=True), self._font(0.023)
            self._draw.text((x, bottom), label, SOFT, small, anchor="ls")
            above = bottom - round(0.036 * self.height)
            self._draw.text((x, above), value, WHITE, large, anchor="ls")
            wide = max(self._draw.textlength(value, large), self._draw.textlength(label, small))
            x += max(column, round(wide) + self._margin)

    def curve(self, values: Sequence[float], done: float, label: str) -> None:
        """Bottom right: a curve drawn as far as ``done``, 0 to 1, with a dot at its end."""
        wide, tall = round(0.4 * self.height), round(0.11 * self.height)
        left, bottom = self.width - self._margin - wide, self.height - self._margin
        base = bottom - round(0.04 * self.height)
        self._draw.text((left + wide, bottom), label, SOFT, self._font(0.023), anchor="rs")
        self._draw.line([(left, base), (left + wide, base)], FAINT, 1)
        heights = np.log(np.maximum(np.asarray(values, float), 1e-6))
        low, span = heights.min(), max(float(np.ptp(heights)), 1e-6)
        x = left + wide * np.linspace(0, 1, len(heights))
        y = base - tall * (0.05 + 0.95 * (heights - low) / span)
        upto = done * (len(heights) - 1)
        shown = np.arange(len(heights)) <= upto
        end = (
            float(np.interp(upto, np.arange(len(x)), x)),
            float(np.interp(upto, np.arange(len(y)), y)),
        )
        line = [(float(a), float(b)) for a, b in zip(x[shown], y[shown], strict=True)] + [end]
        self._draw.line(line, SOFT, max(1, self.height // 360), joint="curve")
        dot = max(2, self.height // 180)
        self._draw.ellipse([end[0] - dot, end[1] - dot, end[0] + dot, end[1] + dot], WHITE)

    def scale(
        self, colors: Sequence[tuple[int, int, int]], ticks: Sequence[str], label: str
    ) -> None:
        """Bottom right: a bar of colours, its ticks below, what it shows above."""
        wide, tall = round(0.4 * self.height), max(4, round(0.014 * self.height))
        left, bottom = self.width - self._margin - wide, self.height - self._margin
        top = bottom - round(0.05 * self.height)
        for number, color in enumerate(colors):
            ends = (left + wide * np.array([number, number + 1]) / len(colors)).tolist()
            self._draw.rectangle([ends[0], top, ends[1], top + tall], color)
        for number, tick in enumerate(ticks):
            x = left + wide * number / max(len(ticks) - 1, 1)
            self._draw.text((x, bottom), tick, SOFT, self._font(0.02), anchor="ms")
        above = top - round(0.014 * self.height)
        self._draw.text((left, above), label, SOFT, self._font(0.023), anchor="ls")

    def photo(self, photo: NDArray[np.uint8], color: tuple[int, int, int], label: str) -> None:
        """Top right: a photo in a frame of a colour, with a line below."""
        tall = round(0.24 * self.height)
        small = Image.fromarray(photo)
        small.thumbnail((round(1.5 * tall), tall), Image.Resampling.LANCZOS)
        x, y = self.width - self._margin - small.width, self._margin
        edge = max(2, self.height // 240)
        box = [x - edge, y - edge, x + small.width + edge - 1, y + small.height + edge - 1]
        self._draw.rectangle(box, color)
        self._image.paste(small, (x, y))
        below = y + small.height + round(0.018 * self.height)
        text = self._font(0.023)
        self._draw.text((x + small.width, below), label, WHITE, text, anchor="rt")


@lru_cache(maxsize=2)
def _shade(height: int) -> NDArray[np.float32]:
    """(H, 1, 1) what darkens the upper and lower edge, so that text is legible on points."""
    y = (np.arange(height) + 0.5) / height
    dark = np.clip((y - 0.78) / 0.12, 0, 1) + np.clip((0.15 - y) / 0.1, 0, 1)
    return (1 - 0.6 * dark).astype(np.float32)[:, None, None]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
