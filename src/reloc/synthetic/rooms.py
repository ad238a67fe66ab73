"""Rooms: seeded worlds of walls, openings, furniture and lamps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc.synthetic import furniture
from reloc.synthetic.furniture import Builder, any_color, any_wood
from reloc.synthetic.patterns import Rng
from reloc.synthetic.world import Color, Lamp, Material, Solid, World

Array = NDArray[np.float64]


@dataclass
class _Plan:
    """What stands where: taken floor rectangles, and taken stretches of each wall."""

    size: Array
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def free(self, x: float, y: float, w: float, d: float, gap: float) -> bool:
        x0, y0, x1, y1 = x - w / 2, y - d / 2, x + w / 2, y + d / 2
        return all(
            x1 + gap < a or x0 - gap > c or y1 + gap < b or y0 - gap > e
            for a, b, c, e in self.taken
        )

    def take(self, x: float, y: float, w: float, d: float) -> None:
        self.taken.append((x - w / 2, y - d / 2, x + w / 2, y + d / 2))

    def wall(self, side: int) -> tuple[Array, Array, float, float]:
        """Start of a wall, direction along it, its length, and the yaw of what leans on it."""
        lx, ly = float(self.size[0]), float(self.size[1])
        return (
            (np.array([lx, ly, 0]), np.array([-1.0, 0, 0]), lx, 0.0),
            (np.array([lx, 0, 0]), np.array([0, 1.0, 0]), ly, -np.pi / 2),
            (np.array([0.0, 0, 0]), np.array([1.0, 0, 0]), lx, np.pi),
            (np.array([0.0, ly, 0]), np.array([0, -1.0, 0]), ly, np.pi / 2),
        )[side]

    def lean(self, rng: Rng, width: float, depth: float, gap: float = 0.03) -> Builder | None:
        """A free spot with the back against a wall, as a builder without solids; it is taken."""
        for _ in range(30):
            start, along, length, yaw = self.wall(int(rng.integers(4)))
            if length < width + 0.1:
                continue
            inward = np.array([-along[1], along[0], 0])
            spot = start + along * rng.uniform(width / 2, length - width / 2)
            spot = spot + inward * (depth / 2 + 0.02)
            w, d = (width, depth) if along[0] else (depth, width)
            if self.free(spot[0], spot[1], w, d, gap):
                self.take(spot[0], spot[1], w, d)
                return Builder(rng, spot, yaw)
        return None


def make_room(
    seed: int,
    *,
    size: tuple[float, float, float] | None = None,
    furnished: bool = True,
    doors: Sequence[tuple[int, float]] | None = None,
    windows: Sequence[int] | None = None,
) -> World:
    """A room from a seed: its size, materials, openings, furniture and lamps.

    Args:
        seed: the same seed makes the same room.
        size: length, width and height in metres; drawn at random if None.
        furnished: False leaves the bare walls.
        doors: the wall of each door, 0 to 3 for +y, +x, -y, -x, and the distance in metres from the
            left end of that wall, seen from outside, to the door's middle; drawn at random if None.
        windows: walls with a window; drawn at random if None.
    """
    rng = np.random.default_rng([seed, 0x0700])
    if size is None:
        size = (rng.uniform(3.6, 7.0), rng.uniform(3.2, 5.6), rng.uniform(2.4, 3.0))
    plan = _Plan(np.array(size))
    b = Builder(rng, solids=[_shell(rng, plan.size)])
    ceiling = plan.size * (rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65), 1)
    lamps = [
        Lamp(rng.uniform(0.08, 0.92, (5, 3)) * plan.size),
        Lamp(ceiling[None] - (0, 0, 0.3), (1.0, 0.93, 0.82)),
    ]
    if furnished:
        _ceiling_lamp(b, ceiling)
        _skirting(b, plan)
        lamps.append(_openings(b, plan, doors, windows))
        lamps.append(_furnish(b, plan))
        _hangings(b, plan)
    return World(tuple(b.solids), tuple(lamps), seed)


def _shell(rng: Rng, size: Array) -> Solid:
    def pale() -> Color:
        r, g, b = (rng.uniform(0.55, 0.85) + rng.normal(0, 0.06, 3)).tolist()
        return r, g, b

    main = Material(str(rng.choice(["plaster", "plaster", "wallpaper"])), pale())
    other = Material(str(rng.choice(["brick", "plaster", "wallpaper", "tiles", "planks"])),
                     (0.58, 0.36, 0.27) if rng.random() < 0.5 else pale())  # fmt: skip
    walls = [main] * 4
    for number in rng.permutation(4)[: int(rng.integers(1, 3))]:
        walls[number] = other if other.kind != "brick" else Material("brick", (0.6, 0.36, 0.28))
    kind = str(rng.choice(["planks", "planks", "tiles", "carpet", "marble"]))
    ground = any_wood(rng).color if kind == "planks" else pale() if kind == "tiles" else None
    floor = Material(kind, ground or (rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.5), 0.4))
    above = Material(str(rng.choice(["panels", "plaster", "planks"])), (0.78, 0.77, 0.74))
    half = size / 2
    faces = (*walls, floor, above)
    return Solid("room", half, half, np.eye(3), faces, int(rng.integers(2**62)))


def _ceiling_lamp(b: Builder, at: Array) -> None:
    b.at(at - (0, 0, 0.28), 0.0).add((0.02, 0.02, 0.2), (0, 0, 0.08), Material("metal"))
    shape: Literal["sphere", "cylinder"] = "sphere" if b.rng.random() < 0.5 else "cylinder"
    b.at(at - (0, 0, 0.28), 0.0).add(
        (0.36, 0.36, 0.2), (0, 0, 0), Material("shade"), shape=shape, glow=1.3
    )
    beam = any_wood(b.rng)
    if b.rng.random() < 0.4:
        lx, ly, lz = b.solids[0].half * 2
        for share in np.arange(0.12, 1, 0.25):
            b.at((lx * share, ly / 2, lz - 0.12), 0.0).add((0.12, ly, 0.12), (0, 0, 0), beam)


def _skirting(b: Builder, plan: _Plan) -> None:
    wood = any_wood(b.rng)
    for side in range(4):
        start, along, length, yaw = plan.wall(side)
        wall = b.at(start + along * length / 2, yaw)
        wall.add((length, 0.018, 0.09), (0, -0.009, 0), wood)


def _openings(
    b: Builder,
    plan: _Plan,
    doors: Sequence[tuple[int, float]] | None,
    windows: Sequence[int] | None,
) -> Lamp:
    """Doors and windows, each on its stretch of wall; returns the daylight."""
    rng = b.rng
    sides = rng.permutation(4).tolist()
    if doors is None:
        doors = [(sides[0], rng.uniform(0.2, 0.8) * plan.wall(sides[0])[2])]
    for side, along in doors:
        _door(b, plan, side, along)
    if windows is None:
        windows = sides[1 : 1 + int(rng.integers(1, 3))]
    points = [point for side in windows for point in _window(b, plan, side)]
    return Lamp(np.array(points), (0.86, 0.95, 1.1))


def _door(b: Builder, plan: _Plan, side: int, distance: float) -> None:
    rng = b.rng
    start, along, _, yaw = plan.wall(side)
    at = start + along * distance
    door = b.at(at, yaw)
    wood = any_wood(rng)
    door.add((0.98, 0.05, 2.09), (0, -0.025, 0), any_wood(rng))
    door.add((0.86, 0.06, 2.03), (0, -0.03, 0), wood, special={"-y": Material("door", wood.color)})
    door.add((0.06, 0.06, 0.06), (0.36, -0.09, 1.0), Material("metal"), shape="sphere")
    keep = at + _inward(along) * 0.5
    plan.take(keep[0], keep[1], 1.0, 1.0)


def _window(b: Builder, plan: _Plan, side: int) -> list[Array]:
    """A window with its curtains; returns the points that its light comes from."""
    rng = b.rng
    start, along, length, yaw = plan.wall(side)
    width, height = rng.uniform(0.9, min(1.8, length - 1)), rng.uniform(1.0, 1.4)
    at = start + along * rng.uniform(0.3, 0.7) * length
    sill = rng.uniform(0.75, 0.95)
    hole, frame = b.at(at, yaw), any_wood(rng)
    hole.add((width, 0.012, height), (0, -0.006, sill), Material("view"), glow=0.9)
    for x in (-0.5, 0.0, 0.5):
        hole.add((0.06, 0.06, height + 0.06), (x * width, -0.03, sill - 0.03), frame)
    for z in (-0.03, height * 0.6, height - 0.03):
        hole.add((width, 0.055, 0.06), (0, -0.0275, sill + z), frame)
    hole.add((width + 0.2, 0.2, 0.035), (0, -0.1, sill - 0.06), Material("marble"))
    for x in (-1, 1):
        drape = (x * (width / 2 + 0.18), -0.12, 0.12)
        cloth = Material("curtain", any_color(rng))
        hole.add((0.34, 0.07, sill + height), drape, cloth)
    hole.add((width * 0.8, 0.09, 0.5), (0, -0.06, 0.13), Material("metal", (0.8, 0.8, 0.78)))
    middle = at + _inward(along) * 0.25 + np.array([0, 0, sill + height / 2])
    return [middle + along * width * 0.3, middle - along * width * 0.3]


def _furnish(b: Builder, plan: _Plan) -> Lamp:
    """Furniture along the walls and in the middle; returns the light of the floor lamp."""
    rng = b.rng
    size = plan.size
    spot = plan.lean(rng, 0.4, 0.4)
    at = spot.spot if spot else size / 2
    light = furniture.floor_lamp(b.at(at, 0.0))
    wishes = ["bookshelf", "sofa", "desk", "cabinet", "plant", "crates"]
    wishes += rng.choice(["bookshelf", "cabinet", "crates", "plant", "desk", "chair"], 4).tolist()
    for wish in wishes:
        width = {"bookshelf": rng.uniform(0.7, 1.3), "sofa": rng.uniform(1.5, 2.1),
                 "desk": rng.uniform(1.0, 1.6), "cabinet": rng.uniform(0.7, 1.5)}  # fmt: skip
        depth = {"bookshelf": 0.3, "sofa": 0.9, "desk": 0.7, "cabinet": 0.45}
        w, d = width.get(wish, 0.55), depth.get(wish, 0.55)
        place = plan.lean(rng, w, d)
        if place is None:
            continue
        here = b.at(place.spot, place.yaw)
        if wish == "bookshelf":
            furniture.bookshelf(here, w, d, rng.uniform(1.2, size[2] - 0.4))
        elif wish == "sofa":
            furniture.sofa(here, w)
        elif wish == "desk":
            furniture.table(here, w, d)
        elif wish == "cabinet":
            furniture.cabinet(here, w, d, rng.uniform(0.7, 1.3))
        elif wish == "plant":
            furniture.plant(here)
        elif wish == "crates":
            furniture.crates(here)
        else:
            furniture.chair(here)
    _middle(b, plan)
    return Lamp(light[None], (1.1, 0.9, 0.65))


def _middle(b: Builder, plan: _Plan) -> None:
    """A rug, and a table with chairs where there is room for it."""
    rng, size = b.rng, plan.size
    for _ in range(12):
        x, y = (rng.uniform(0.35, 0.65, 2) * size[:2]).tolist()
        w, d = rng.uniform(1.0, 1.5), rng.uniform(0.7, 0.95)
        if not plan.free(x, y, w + 0.4, d + 0.4, 0.0):
            continue
        plan.take(x, y, w, d)
        yaw = float(rng.normal(0, 0.15))
        b.at((x, y, 0), yaw).add((w + 1.0, d + 0.9, 0.012), (0, 0, 0), Material("rug"))
        furniture.table(b.at((x, y, 0.012), yaw), w, d)
        for side in (-1, 1):
            spot = np.array([x, y, 0]) + side * np.array([rng.normal(0, 0.2), d / 2 + 0.2, 0])
            furniture.chair(b.at(spot, yaw + (0 if side > 0 else np.pi) + rng.normal(0, 0.3)))
        return


def _hangings(b: Builder, plan: _Plan) -> None:
    """Pictures, posters, boards and shelves on what is left of the walls."""
    rng, size = b.rng, plan.size
    for side in range(4):
        start, along, length, yaw = plan.wall(side)
        x = rng.uniform(0.1, 0.4)
        while x < length - 0.4:
            width = min(rng.uniform(0.25, 0.95), length - x - 0.1)
            height = min(rng.uniform(0.6, 1.5) * width, 0.9)
            z = rng.uniform(1.25, max(1.3, size[2] - height - 0.15))
            spot = start + along * (x + width / 2)
            box = Builder(rng, spot, yaw)
            if rng.random() < 0.2:
                box.add((width, 0.2, 0.03), (0, -0.1, z), any_wood(rng))
                furniture.clutter(box.at(spot + _inward(along) * 0.1, yaw), width, 0.15, z + 0.03,
                                  int(rng.integers(2, 5)))  # fmt: skip
            else:
                furniture.wall_picture(box, width, height, z)
            if _clear(b.solids[1:], box.solids):
                b.solids.extend(box.solids)
                x += width
            x += rng.uniform(0.12, 0.35)


def _inward(along: Array) -> Array:
    return np.array([-along[1], along[0], 0])


def _clear(standing: list[Solid], new: list[Solid]) -> bool:
    """Whether the bounds of new solids stay away from those of all others."""

    def bounds(solids: list[Solid]) -> tuple[Array, Array]:
        centers = np.array([s.center for s in solids])
        reach = np.array([np.abs(s.rotation) @ s.half for s in solids])
        return centers - reach, centers + reach

    low, high = bounds(standing)
    new_low, new_high = bounds(new)
    apart = (new_low.min(0) > high + 0.01).any(1) | (new_high.max(0) < low - 0.01).any(1)
    return bool(apart.all())
