"""One room as another: with its furniture moved, or the same seen from both of its ends."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import rotation_from_vector
from reloc.synthetic.world import FACES, Lamp, Material, Solid, World

Array = NDArray[np.float64]
Rng = np.random.Generator

# What cannot be moved, by the materials of one of its parts.
_BUILT_IN = frozenset({"door", "view", "curtain"})
# Parts of a piece are no farther from each other, pieces are; metres.
_APART = 0.025
# What leans on a wall stands off it by the skirting.
_SKIRTING = 0.1
_OFF_WALL = 0.02
_TRIES = 60


def rearranged(world: World, *, seed: int = 0) -> World:
    """The room after somebody moved its furniture: walls and all that hangs there stay.

    Each piece with what lies on it goes to another place: what leaned on a wall leans on any, what
    stood free stands elsewhere. Where no other place is free a piece stays.

    Args:
        world: a room.
        seed: another seed moves it otherwise.
    """
    rng = np.random.default_rng([world.seed, seed, 0x4EA4])
    pieces = _pieces(world)
    solids = list(world.solids)
    for number in rng.permutation(len(pieces)):
        piece = pieces[number]
        own = [solids[row] for row in piece]
        others = [s for row, s in enumerate(solids) if row and row not in piece]
        for row, solid in zip(piece, _moved(own, others, world.size, rng), strict=True):
            solids[row] = solid
    return replace(world, solids=tuple(solids))


def symmetric(world: World) -> World:
    """A room that looks the same from both ends: half of its contents, and these turned by 180°.

    Walls, floor and ceiling are in pairs, too. Nothing in a picture tells one end from the other.

    Args:
        world: a room; of it stays what stands where x is below the middle.
    """
    size = world.size
    # What the painter of a shell's face draws has no symmetry: bare faces behind pairs of slabs.
    shell = replace(world.solids[0], materials=(Material("plain", (0.6, 0.6, 0.6)),) * FACES)
    kept = [
        world.solids[row]
        for group in _groups(world)
        if max(_upper_corner(world.solids[row])[0] for row in group) < size[0] / 2 - 0.02
        for row in group
    ]
    half = [*_slabs(world.solids[0]), *kept]
    lamps = [
        Lamp(np.concatenate([lamp.points, _turned_points(lamp.points, size)]), lamp.color)
        for lamp in world.lamps
    ]
    return replace(
        world,
        solids=(shell, *half, *(_turned(solid, size) for solid in half)),
        lamps=tuple(lamps),
    )


def _turned_points(points: Array, size: Array) -> Array:
    return np.asarray(points * (-1, -1, 1) + (size[0], size[1], 0))


def _turned(solid: Solid, size: Array) -> Solid:
    half_turn = np.diag([-1.0, -1.0, 1.0])
    return replace(
        solid,
        center=_turned_points(solid.center[None], size)[0],
        rotation=half_turn @ solid.rotation,
    )


def _slabs(shell: Solid) -> list[Solid]:
    """One wall at -x, one at -y, and half of floor and ceiling, as boxes a centimetre thick."""
    length, width, height = 2 * shell.half
    thin = 0.005
    walls: list[tuple[Array, Array, int]] = [
        (np.array([thin, width / 2, height / 2]), np.array([thin, width / 2, height / 2]), 0),
        (np.array([length / 2, thin, height / 2]), np.array([length / 2, thin, height / 2]), 2),
        (np.array([length / 4, width / 2, thin]), np.array([length / 4, width / 2, thin]), 4),
        (
            np.array([length / 4, width / 2, height - thin]),
            np.array([length / 4, width / 2, thin]),
            5,
        ),
    ]
    return [
        Solid("box", center, half, np.eye(3), (shell.materials[face],) * FACES, shell.seed + face)
        for center, half, face in walls
    ]


def _pieces(world: World) -> list[list[int]]:
    """Rows of the solids of each piece of furniture: what stands on the floor with all on it."""

    def is_furniture(group: Sequence[int]) -> bool:
        own = [world.solids[row] for row in group]
        built_in = any(m.kind in _BUILT_IN for solid in own for m in solid.materials)
        return min(_lower_corner(solid)[2] for solid in own) < 0.05 and not built_in

    return [group for group in _groups(world) if is_furniture(group)]


def _groups(world: World) -> list[list[int]]:
    """Rows of solids that touch each other, but for the shell and the skirting."""
    size, solids = world.size, world.solids
    rows = [n for n in range(1, len(solids)) if not _is_skirting(solids[n], size)]
    low = np.array([_lower_corner(solids[row]) for row in rows])
    high = np.array([_upper_corner(solids[row]) for row in rows])
    apart = np.maximum(low[:, None] - high, low - high[:, None]).max(axis=2)
    touching = np.asarray(apart <= _APART)
    left, found = set(range(len(rows))), []
    while left:
        group, border = set[int](), {left.pop()}
        while border:
            group |= border
            border = {int(n) for b in border for n in np.flatnonzero(touching[b])} - group
        left -= group
        found.append(sorted(rows[n] for n in group))
    return sorted(found)


def _moved(own: Sequence[Solid], others: Sequence[Solid], size: Array, rng: Rng) -> list[Solid]:
    """A piece at another place that is free of others; where it is, if there is none."""
    low = np.min([_lower_corner(s) for s in own], axis=0)
    high = np.max([_upper_corner(s) for s in own], axis=0)
    others_low = np.array([_lower_corner(s) for s in others])
    others_high = np.array([_upper_corner(s) for s in others])
    middle = (low + high) / 2
    # Distance to the walls at -x, -y, +x, +y, which follow each other by quarter turns.
    gaps = np.array([low[0], low[1], size[0] - high[0], size[1] - high[1]])
    wall = int(gaps.argmin())
    leans = gaps[wall] < 0.15
    for _ in range(_TRIES):
        quarters = int(rng.integers(4))
        turn = rotation_from_vector((0.0, 0.0, quarters * np.pi / 2))
        half = np.abs(turn @ ((high - low) / 2))
        least, most = half[:2] + _OFF_WALL, size[:2] - half[:2] - _OFF_WALL
        if (least >= most).any():
            continue
        spot = rng.uniform(least, most)
        if leans:
            side = (wall + quarters) % 4
            spot[side % 2] = (least, most)[side // 2][side % 2]
        to = np.array([spot[0], spot[1], middle[2]])
        if np.linalg.norm(to - middle) < 0.5:
            continue
        new_low, new_high = to - half, to + half
        apart = (new_low > others_high + 0.02).any(axis=1) | (new_high < others_low - 0.02).any(
            axis=1
        )
        # Skirting is behind everything.
        apart |= np.array([_is_skirting(s, size) for s in others])
        if apart.all():
            return [
                replace(s, center=turn @ (s.center - middle) + to, rotation=turn @ s.rotation)
                for s in own
            ]
    return list(own)


def _is_skirting(solid: Solid, size: Array) -> bool:
    reach = _upper_corner(solid) - _lower_corner(solid)
    return bool(reach[2] < _SKIRTING and (reach[:2] > size[:2] - 0.01).any())


def _lower_corner(solid: Solid) -> Array:
    return np.asarray(solid.center - np.abs(solid.rotation) @ solid.half)


def _upper_corner(solid: Solid) -> Array:
    return np.asarray(solid.center + np.abs(solid.rotation) @ solid.half)
