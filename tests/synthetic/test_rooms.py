"""Rooms follow from their seed and hold together."""

import numpy as np
import pytest

from reloc.synthetic.materials import KINDS, paint
from reloc.synthetic.rooms import make_room
from reloc.synthetic.world import Material, face_frame, face_points


def test_a_seed_makes_one_room():
    first, again, other = make_room(4), make_room(4), make_room(5)
    assert len(first.solids) == len(again.solids)
    for a, b in zip(first.solids, again.solids, strict=True):
        assert (a.center == b.center).all() and a.materials == b.materials and a.seed == b.seed
    assert (first.size != other.size).any()
    assert len({s.seed for s in first.solids}) == len(first.solids)


@pytest.mark.parametrize("seed", range(6))
def test_rooms_are_furnished_and_nothing_sticks_out(seed):
    world = make_room(seed)
    assert len(world.solids) > 80
    assert {"box", "cylinder", "sphere", "room"} == {s.shape for s in world.solids}
    for solid in world.solids[1:]:
        reach = np.abs(solid.rotation) @ solid.half
        assert (solid.center - reach > -0.25).all()
        assert (solid.center + reach < world.size + 0.25).all()
        assert (solid.center > 0).all() and (solid.center < world.size).all()


def test_clearance_is_the_distance_to_the_nearest_surface():
    world = make_room(0, size=(6.0, 4.0, 3.0), furnished=False)
    points = [(3.0, 2.0, 1.4), (0.5, 2.0, 1.5), (-0.2, 2.0, 1.5)]
    np.testing.assert_allclose(world.clearance(points), (1.4, 0.5, -0.2), atol=1e-12)
    furnished = make_room(0)
    solid = furnished.solids[len(furnished.solids) // 2]
    assert furnished.clearance(solid.center[None])[0] < 0


def test_faces_are_seen_the_right_way_round():
    world = make_room(2)
    for solid in world.solids[:40]:
        for face in solid.faces():
            frame = face_frame(solid, face)
            if frame.normal.any():
                # Who looks at the face has the normal coming towards them.
                np.testing.assert_allclose(np.cross(frame.right, frame.down), -frame.normal)
                points, normals = face_points(solid, face, np.array([0.0]), np.array([0.0]))
                np.testing.assert_allclose(np.abs(solid.local(points))[0], solid.half, atol=1e-9)
                into = world.solids[0].distance(points + 1e-3 * normals)
                assert solid.shape != "room" or (into > -1e-9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_material_paints_any_size_with_texture(kind):
    for shape in [(1, 1), (2, 3), (3, 90), (70, 4)]:
        assert paint(Material(kind), 3, shape, 0.007).shape == (*shape, 3)
    image = paint(Material(kind), 3, (160, 200), 0.005)
    assert (image == paint(Material(kind), 3, (160, 200), 0.005)).all()
    assert (image != paint(Material(kind), 4, (160, 200), 0.005)).any()
    gray = image.mean(axis=2).reshape(8, 20, 10, 20)
    # Something to lock on to in every part of 10 cm.
    assert np.median(gray.std(axis=(1, 3))) > 2.5
