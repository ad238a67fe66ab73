"""HTML pages that need nothing else: no network, no folder of images."""

import base64
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from reloc.images.files import encoded_image

PHOTO_SIDE = 640  # pixels of the longer side of a photo on the page


def rendered(template: str, **values: Any) -> str:
    """The page that a template of ``templates/`` makes of values.

    All text is escaped but ``Markup``; bytes of file names that are no UTF-8 become ``?``. In a
    template, ``web(name)`` is a file of ``web/``, a style or a script.
    """
    return _environment().get_template(template).render(values)


def web(name: str) -> Markup:
    """A style or script of ``web/`` to put into a page."""
    # Markup, since it is the package's own.
    return Markup((files("reloc.view") / "web" / name).read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reloc.view", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_encodable,
    )
    environment.globals["web"] = web
    return environment


def _encodable(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def jpeg(pixels: NDArray[np.uint8], *, side: int = PHOTO_SIDE, quality: int = 82) -> bytes:
    """Pixels (H, W, 3) RGB as a JPEG, at most ``side`` pixels long."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return encoded_image(pixels, ".jpg", quality=quality)


def jpeg_address(pixels: NDArray[np.uint8], *, side: int = PHOTO_SIDE) -> str:
    """Pixels (H, W, 3) RGB as a ``data:`` address for an ``<img>``; ``side`` is as of ``jpeg``."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(pixels, side=side)).decode('ascii')}"
