"""Materials: paintings for the faces of solids, from a seed and a size to pixels.

Paintings are made once per face, with detail at every scale from the face down to the texel, and
no two are alike.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reloc.synthetic import prints, surfaces
from reloc.synthetic.patterns import Floats, Rng
from reloc.synthetic.surfaces import Shape
from reloc.synthetic.world import Color, Material

Painter = Callable[[Rng, Shape, float, Color], Floats]

_PAINTERS: dict[str, Painter] = {
    "plain": surfaces.plain,
    "plaster": surfaces.plaster,
    "wallpaper": surfaces.wallpaper,
    "brick": surfaces.brick,
    "tiles": surfaces.tiles,
    "wood": surfaces.wood,
    "planks": surfaces.planks,
    "carpet": surfaces.carpet,
    "rug": surfaces.rug,
    "fabric": surfaces.fabric,
    "curtain": surfaces.curtain,
    "metal": surfaces.metal,
    "marble": surfaces.marble,
    "panels": surfaces.panels,
    "picture": prints.picture,
    "poster": prints.poster,
    "paper": prints.paper,
    "board": prints.board,
    "screen": prints.screen,
    "books": prints.books,
    "drawers": prints.drawers,
    "door": prints.door,
    "cardboard": prints.cardboard,
    "leaves": prints.leaves,
    "view": prints.view,
    "shade": surfaces.shade,
}

KINDS: tuple[str, ...] = tuple(_PAINTERS)

# How much of a lamp's light a polished surface throws back as a highlight.
GLOSS = {"metal": 0.7, "marble": 0.6, "tiles": 0.5, "screen": 0.7, "planks": 0.25, "door": 0.3,
         "board": 0.4, "drawers": 0.25, "wood": 0.2, "view": 0.3}  # fmt: skip


def paint(material: Material, seed: int, shape: Shape, texel: float) -> NDArray[np.uint8]:
    """The painting (H, W, 3), RGB, of a material.

    Args:
        material: its kind must be in ``KINDS``.
        seed: the same seed gives the same painting.
        shape: height and width in texels.
        texel: metres per texel.
    """
    rng = np.random.default_rng(seed)
    image = _PAINTERS[material.kind](rng, shape, texel, material.color)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
