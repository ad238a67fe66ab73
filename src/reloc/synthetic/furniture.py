"""Furniture: each function builds one piece from boxes, cylinders and spheres at a place."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.geometry import rotation_from_vector
from reloc.synthetic.patterns import Rng, vivid
from reloc.synthetic.world import Color, Material, Solid

Array = NDArray[np.float64]
Face = Literal["-x", "+x", "-y", "+y", "-z", "+z"]
_FACES: tuple[Face, ...] = ("-x", "+x", "-y", "+y", "-z", "+z")

_WOODS: tuple[Color, ...] = (
    (0.62, 0.43, 0.26), (0.42, 0.27, 0.16), (0.76, 0.62, 0.42), (0.28, 0.19, 0.13),
    (0.82, 0.8, 0.76), (0.55, 0.35, 0.22),
)  # fmt: skip


def any_wood(rng: Rng) -> Material:
    """Wood of one of the usual colours."""
    return Material("wood", _WOODS[rng.integers(len(_WOODS))])


def any_color(rng: Rng) -> Color:
    """A strong colour: red, green and blue, 0 to 1."""
    r, g, b = vivid(rng).tolist()
    return r, g, b


@dataclass
class Builder:
    """Collects solids that are placed relative to one spot: x right, y to the back, z up."""

    rng: Rng
    spot: Array = field(default_factory=lambda: np.zeros(3))
    yaw: float = 0.0
    solids: list[Solid] = field(default_factory=list)

    def at(self, spot: ArrayLike, yaw: float) -> "Builder":
        """The same collection seen from another spot of the room."""
        return Builder(self.rng, np.asarray(spot, np.float64), yaw, self.solids)

    def add(
        self,
        size: tuple[float, float, float],
        base: tuple[float, float, float],
        material: Material,
        *,
        shape: Literal["box", "cylinder", "sphere"] = "box",
        special: dict[Face, Material] | None = None,
        turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
        glow: float = 0.0,
    ) -> None:
        """Adds a solid of a size that stands with the middle of its underside on ``base``.

        ``special`` are materials of single faces; ``turn`` is a rotation vector about its centre.
        """
        half = np.asarray(size, np.float64) / 2
        frame = rotation_from_vector((0.0, 0.0, self.yaw))
        center = np.asarray(base, np.float64) + (0, 0, half[2])
        faces = {**dict.fromkeys(_FACES, material), **(special or {})}
        self.solids.append(
            Solid(
                shape=shape,
                center=frame @ center + self.spot,
                half=half,
                rotation=frame @ rotation_from_vector(turn),
                materials=tuple(faces[name] for name in _FACES),
                seed=int(self.rng.integers(2**62)),
                glow=glow,
            )
        )


def clutter(b: Builder, width: float, depth: float, z: float, count: int) -> None:
    """Small things on a surface: cups, boxes, balls, stacks of books, sheets, a screen."""
    rng = b.rng
    spots: list[Array] = []
    for _ in range(count):
        spot = rng.uniform(-0.4, 0.4, 2) * (width, depth)
        if any(np.linalg.norm(spot - other) < 0.24 for other in spots):
            continue
        spots.append(spot)
        at = (float(spot[0]), float(spot[1]), z)
        turn = (0.0, 0.0, rng.uniform(-np.pi, np.pi))
        own = any_color(rng)
        kind = rng.integers(7)
        if kind == 0:
            w = rng.uniform(0.06, 0.1)
            b.add((w, w, rng.uniform(0.07, 0.26)), at, Material("fabric", own), shape="cylinder")
        elif kind == 1:
            size = rng.uniform(0.08, 0.28, 3)
            b.add(tuple(size), at, Material("cardboard", own), turn=turn)
        elif kind == 2:
            w = rng.uniform(0.07, 0.18)
            b.add((w, w, w), at, Material("marble", own), shape="sphere")
        elif kind == 3:
            height = 0.0
            for _ in range(int(rng.integers(2, 5))):
                thick = rng.uniform(0.015, 0.05)
                cover = Material("poster", any_color(rng))
                size3 = (rng.uniform(0.14, 0.2), rng.uniform(0.2, 0.28), thick)
                tilt = (0.0, 0.0, turn[2] + rng.normal(0, 0.2))
                b.add(size3, (at[0], at[1], z + height), Material("plain", own),
                      special={"+z": cover}, turn=tilt)  # fmt: skip
                height += thick
        elif kind == 4:
            b.add((0.21, 0.297, 0.002), at, Material("paper"), turn=turn)
        elif kind == 5:
            lamp_like = rng.uniform(0.1, 0.16)
            b.add((lamp_like, lamp_like, 0.03), at, Material("metal", own), shape="cylinder")
            b.add((0.05, 0.05, 0.28), at, Material("wood", own), shape="cylinder")
        else:
            b.add((0.3, 0.04, 0.22), at, Material("metal", (0.2, 0.2, 0.22)),
                  special={"-y": Material("picture"), "+y": Material("wood")},
                  turn=(-0.15, 0, turn[2] * 0.2))  # fmt: skip


def table(b: Builder, width: float, depth: float) -> None:
    """Adds a table with things on it, often a screen; sizes in metres."""
    rng, height = b.rng, b.rng.uniform(0.7, 0.78)
    wood = any_wood(rng)
    top = Material("marble", (0.8, 0.78, 0.75)) if rng.random() < 0.15 else wood
    b.add((width, depth, 0.035), (0, 0, height - 0.035), top)
    for x in (-1, 1):
        for y in (-1, 1):
            leg = (x * (width / 2 - 0.05), y * (depth / 2 - 0.05), 0)
            b.add((0.055, 0.055, height - 0.035), leg, wood)
    if rng.random() < 0.5:
        at = (rng.uniform(-0.2, 0.2) * width, 0.15 * depth, height)
        b.add((0.2, 0.16, 0.02), at, Material("metal", (0.15, 0.15, 0.16)))
        b.add((0.05, 0.03, 0.12), at, Material("metal", (0.15, 0.15, 0.16)))
        b.add((0.56, 0.03, 0.34), (at[0], at[1], height + 0.1), Material("plain", (0.1, 0.1, 0.1)),
              special={"-y": Material("screen")}, glow=0.0)  # fmt: skip
        b.add((0.42, 0.14, 0.02), (at[0], at[1] - 0.25, height), Material("paper"))
    clutter(b, width, depth, height, int(rng.integers(4, 9)))


def chair(b: Builder) -> None:
    """Adds a chair that looks along -y."""
    wood = any_wood(b.rng)
    seat = Material("fabric", any_color(b.rng))
    b.add((0.44, 0.44, 0.06), (0, 0, 0.42), seat)
    b.add((0.44, 0.04, 0.4), (0, 0.2, 0.5), seat, turn=(-0.08, 0, 0))
    for x in (-0.19, 0.19):
        for y in (-0.19, 0.19):
            b.add((0.04, 0.04, 0.42), (x, y, 0), wood)


def bookshelf(b: Builder, width: float, depth: float, height: float) -> None:
    """Adds a shelf with books and things on its boards; sizes in metres."""
    rng, wood = b.rng, any_wood(b.rng)
    b.add((width, 0.02, height), (0, depth / 2 - 0.01, 0), wood)
    for x in (-1, 1):
        b.add((0.025, depth, height), (x * (width / 2 - 0.0125), 0, 0), wood)
    levels = max(2, round(height / 0.36))
    for level in range(levels + 1):
        z = (height - 0.025) * level / levels
        b.add((width - 0.05, depth - 0.02, 0.025), (0, -0.01, z), wood)
        if level == levels:
            continue
        left, end, room = -width / 2 + 0.04, width / 2 - 0.04, height / levels - 0.05
        while left < end - 0.1:
            wide = min(rng.uniform(0.12, 0.45), end - left)
            tall = room * rng.uniform(0.6, 0.97)
            deep = depth * rng.uniform(0.55, 0.8)
            at = (left + wide / 2, depth / 2 - 0.03 - deep / 2, z + 0.025)
            kind = rng.random()
            if kind < 0.7:
                b.add((wide, deep, tall), at, Material("plain", any_color(rng)),
                      special={"-y": Material("books")})  # fmt: skip
            elif kind < 0.85:
                b.add((wide * 0.8, deep, tall * 0.7), at, Material("cardboard", any_color(rng)))
            else:
                w = min(wide, deep, 0.2) * 0.9
                b.add((w, w, tall * 0.7), at, Material("fabric", any_color(rng)), shape="cylinder")
            left += wide + rng.choice([0.004, 0.004, rng.uniform(0.02, 0.15)])
    clutter(b, width, depth * 0.6, height, int(rng.integers(1, 4)))


def cabinet(b: Builder, width: float, depth: float, height: float) -> None:
    """Adds a cabinet with drawers and things on top; sizes in metres."""
    wood = any_wood(b.rng)
    b.add((width, depth, height), (0, 0, 0), wood,
          special={"-y": Material("drawers", wood.color)})  # fmt: skip
    b.add((width + 0.03, depth + 0.03, 0.025), (0, 0, height), any_wood(b.rng))
    clutter(b, width, depth, height + 0.025, int(b.rng.integers(2, 6)))


def sofa(b: Builder, width: float) -> None:
    """Adds a sofa, often with pillows; the width is in metres."""
    rng = b.rng
    cloth = Material("fabric", any_color(rng))
    b.add((width, 0.85, 0.24), (0, 0, 0.08), cloth)
    b.add((width, 0.22, 0.8), (0, 0.32, 0.05), cloth, turn=(-0.06, 0, 0))
    for x in (-1, 1):
        b.add((0.2, 0.85, 0.58), (x * (width / 2 - 0.1), 0, 0.05), cloth)
    seats = max(1, round((width - 0.4) / 0.65))
    for seat in range(seats):
        wide = (width - 0.42) / seats
        middle = -(width - 0.42) / 2 + wide * (seat + 0.5)
        b.add((wide - 0.01, 0.62, 0.14), (middle, -0.1, 0.32), Material("fabric", cloth.color))
        if rng.random() < 0.7:
            pillow = Material("fabric", any_color(rng))
            b.add((0.4, 0.12, 0.38), (middle + rng.normal(0, 0.05), 0.1, 0.46), pillow,
                  turn=(-0.35, rng.normal(0, 0.2), rng.normal(0, 0.2)))  # fmt: skip


def crates(b: Builder) -> None:
    """Adds one to three boxes on top of each other."""
    rng, z = b.rng, 0.0
    for _ in range(int(rng.integers(1, 4))):
        w, d, h = rng.uniform(0.28, 0.5, 3)
        card = Material("cardboard", (0.66, 0.5, 0.34) if rng.random() < 0.6 else any_color(rng))
        b.add((w, d, h), (rng.normal(0, 0.03), rng.normal(0, 0.03), z), card,
              turn=(0, 0, rng.normal(0, 0.3)))  # fmt: skip
        z += h


def plant(b: Builder) -> None:
    """Adds a plant in a pot."""
    rng = b.rng
    pot = rng.uniform(0.24, 0.36)
    b.add((pot, pot, 0.32), (0, 0, 0), Material("tiles", any_color(rng)), shape="cylinder")
    b.add((0.05, 0.05, 0.5), (0, 0, 0.3), Material("wood", (0.35, 0.25, 0.15)), shape="cylinder")
    for _ in range(int(rng.integers(4, 8))):
        w = rng.uniform(0.18, 0.42)
        at = (rng.uniform(-0.17, 0.17), rng.uniform(-0.17, 0.17), rng.uniform(0.45, 1.0))
        green = (rng.uniform(0.1, 0.35), rng.uniform(0.35, 0.6), rng.uniform(0.08, 0.25))
        b.add((w, w, w * rng.uniform(0.5, 1.0)), at, Material("leaves", green), shape="sphere")


def floor_lamp(b: Builder) -> Array:
    """Returns the point (3,) that the light comes from."""
    metal = Material("metal", (0.3, 0.3, 0.32))
    b.add((0.3, 0.3, 0.03), (0, 0, 0), metal, shape="cylinder")
    b.add((0.03, 0.03, 1.45), (0, 0, 0), metal, shape="cylinder")
    b.add((0.36, 0.36, 0.3), (0, 0, 1.4), Material("shade"), shape="cylinder", glow=1.2)
    return b.spot + np.array([0, 0, 1.55])


def wall_picture(b: Builder, width: float, height: float, z: float) -> None:
    """Hangs at y = 0, facing -y."""
    rng = b.rng
    kind = str(rng.choice(["picture", "picture", "poster", "poster", "paper", "board"]))
    roll = (0.0, float(rng.normal(0, 0.03)), 0.0)
    framed = kind != "paper" and rng.random() < 0.75
    if framed:
        b.add((width + 0.06, 0.03, height + 0.06), (0, -0.015, z - 0.03), any_wood(rng), turn=roll)
    deep = 0.036 if framed else 0.004
    b.add((width, deep, height), (0, -deep / 2, z), Material("plain"),
          special={"-y": Material(kind)}, turn=roll)  # fmt: skip
