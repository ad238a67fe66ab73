"""Styles: rooms of one style were fitted out by the same hand and are hard to tell apart."""

from dataclasses import replace

import numpy as np

from reloc.synthetic.furniture import any_color, any_wood
from reloc.synthetic.materials import KINDS
from reloc.synthetic.rooms import make_room
from reloc.synthetic.world import Material, Solid, World

# What is printed differs from room to room however alike they are fitted out.
PRINTS = frozenset({"picture", "poster", "paper", "board", "screen", "books", "cardboard", "view"})
# How many colours a material comes in, and how many paintings of it there are.
_COLORS = 2
_PAINTINGS = 3


def in_style(world: World, style: int) -> World:
    """The world with the walls, floor and ceiling, the colours and the surfaces of a style.

    Rooms of one style and size have the very same walls, floor and ceiling, their furniture is
    bought from one catalogue; where things stand, what hangs on the walls and what is printed on
    anything stay those of the room.

    Args:
        world: any room.
        style: its number.
    """
    rng = np.random.default_rng([style, 0x57E1])
    size = world.size.tolist()
    shell = make_room(style, size=(size[0], size[1], size[2]), furnished=False).solids[0]
    catalogue = {
        kind: [any_wood(rng).color if kind == "wood" else any_color(rng) for _ in range(_COLORS)]
        for kind in KINDS
    }

    def restyled(solid: Solid) -> Solid:
        materials = tuple(
            m
            if m.kind in PRINTS
            else Material(m.kind, catalogue[m.kind][solid.seed // _PAINTINGS % _COLORS])
            for m in solid.materials
        )
        if any(m.kind in PRINTS for m in materials):
            return replace(solid, materials=materials)
        return replace(
            solid, materials=materials, seed=style * _PAINTINGS + solid.seed % _PAINTINGS
        )

    return replace(world, solids=(shell, *map(restyled, world.solids[1:])))
