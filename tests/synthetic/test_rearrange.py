"""Rooms with other places for their furniture, and rooms that look the same from both ends."""

import numpy as np
import pytest

from reloc.synthetic.rearrange import rearranged, symmetric
from reloc.synthetic.rooms import make_room


@pytest.fixture(scope="module")
def room():
    return make_room(3, size=(6.0, 4.8, 2.7))


@pytest.fixture(scope="module")
def other(room):
    return rearranged(room, seed=1)


def moves(before, after):
    return np.array(
        [np.linalg.norm(a.center - b.center) for a, b in zip(before, after, strict=True)]
    )


def test_furniture_moves_and_the_room_stays(room, other):
    far = moves(room.solids, other.solids)
    assert (far > 0.3).sum() > 40
    for solid, moved in zip(room.solids, far, strict=True):
        kinds = {material.kind for material in solid.materials}
        if solid.shape == "room" or kinds & {"door", "view", "curtain", "shade"}:
            assert moved == 0 or kinds == {"shade"}  # a floor lamp goes where it likes
    for solid in other.solids[1:]:
        reach = np.abs(solid.rotation) @ solid.half
        assert (solid.center - reach > -0.25).all()
        assert (solid.center + reach < room.size + 0.25).all()


def test_what_lies_on_a_piece_goes_with_it(room, other):
    far = moves(room.solids, other.solids)
    moved = np.flatnonzero(far > 0.3)
    height = [room.solids[n].center[2] - other.solids[n].center[2] for n in moved]
    np.testing.assert_allclose(height, 0, atol=1e-9)
    # Neighbours in the list are mostly of one piece: their distance stays what it was.
    pairs = [(n, n + 1) for n in moved if n + 1 in set(moved.tolist())]
    kept = [
        np.linalg.norm(room.solids[a].center - room.solids[b].center)
        - np.linalg.norm(other.solids[a].center - other.solids[b].center)
        for a, b in pairs
    ]
    assert np.mean(np.abs(kept) < 1e-9) > 0.8


@pytest.mark.slow
def test_seeds_move_it_otherwise(room, other):
    assert moves(rearranged(room, seed=1).solids, other.solids).max() == 0
    assert moves(rearranged(room).solids, other.solids).max() > 0.3


def test_a_symmetric_room_is_itself_when_turned_around(room):
    world = symmetric(room)
    solids = world.solids[1:]
    assert len(solids) > 40
    for solid, twin in zip(solids, [*solids[len(solids) // 2 :], *solids], strict=False):
        np.testing.assert_allclose(
            solid.center * (-1, -1, 1) + world.size * (1, 1, 0), twin.center, atol=1e-9
        )
        np.testing.assert_allclose(np.diag([-1, -1, 1]) @ solid.rotation, twin.rotation, atol=1e-9)
        assert solid.materials == twin.materials and solid.seed == twin.seed
    points = np.random.default_rng(0).uniform(0, world.size, (200, 3))
    turned = points * (-1, -1, 1) + world.size * (1, 1, 0)
    np.testing.assert_allclose(world.clearance(points), world.clearance(turned), atol=1e-9)
