"""An HTML page that needs nothing else: no network, no folder of images."""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTO_SIDE = 640  # pixels of the longer side of a photo on the page


def html_page(title: str, body: str) -> str:
    """A whole page around its body, which is HTML; the title is text."""
    # The policy keeps the page from loading anything, whatever a name in it may hold.
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    folder = files("reloc.view")
    style = (folder / "report.css").read_text(encoding="utf-8")
    script = (folder / "report.js").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


def html_text(value: str) -> str:
    """Text for HTML, also within quotes; bytes of file names that are no UTF-8 become ``?``."""
    return escape(value.encode("utf-8", "replace").decode("utf-8"))


def card(content: str) -> str:
    """A box around HTML."""
    return f'<div class="card">{content}</div>'


def html_notes(notes: Sequence[str]) -> str:
    """Remarks as a list; nothing where there are none."""
    items = "".join(f"<li>{html_text(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if notes else ""


def jpeg(pixels: NDArray[np.uint8], *, side: int = PHOTO_SIDE, quality: int = 82) -> bytes:
    """Pixels (H, W, 3) RGB as a JPEG, at most ``side`` pixels long."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def embedded(pixels: NDArray[np.uint8], title: str, *, side: int = PHOTO_SIDE) -> str:
    """An ``<img>`` with the pixels (H, W, 3) RGB inside it, as JPEG.

    The title is HTML text with quotes escaped; ``side`` is as of ``jpeg``.
    """
    data = base64.b64encode(jpeg(pixels, side=side)).decode("ascii")
    return f'<img alt="{title}" title="{title}" src="data:image/jpeg;base64,{data}">'
