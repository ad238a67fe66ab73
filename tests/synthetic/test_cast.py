"""Rays meet what geometry says they meet."""

from typing import Any

import numpy as np
import pytest
import torch

from reloc.geometry import Camera, look_at, rotation_from_vector
from reloc.synthetic.cast import RayGrid, cast_image, occluded
from reloc.synthetic.render import ray_grid
from reloc.synthetic.rooms import make_room
from reloc.synthetic.world import FACES, Material, Solid, World

CPU = torch.device("cpu")
CAMERA = Camera.pinhole(width=40, height=30, fx=30.0)


def world_with(shape, *, center=(3.0, 2.0, 1.5), half=(0.4, 0.4, 0.5), turn=(0.0, 0.0, 0.0)):
    room = make_room(0, size=(6.0, 4.0, 3.0), furnished=False)
    solid = Solid(
        shape=shape,
        center=np.array(center),
        half=np.array(half),
        rotation=rotation_from_vector(turn),
        materials=(Material("plain"),) * FACES,
        seed=0,
    )
    return World((*room.solids, solid), room.lamps, 0)


def test_depth_of_an_empty_room_is_the_distance_to_its_walls():
    world = make_room(0, size=(6.0, 4.0, 3.0), furnished=False)
    pose = look_at((1.0, 2.0, 1.5), (5.0, 2.0, 1.5))
    hits = cast_image(world, RayGrid(np.zeros((1, 1)), np.zeros((1, 1))), pose, CPU)
    assert hits.t.item() == pytest.approx(5.0, abs=1e-5)
    assert hits.face.item() == 1  # the +x wall
    # All of the picture against the six planes.
    grid = ray_grid(CAMERA, 1)
    pose = look_at((1.3, 1.1, 1.2), (4.0, 3.0, 0.4))
    hits = cast_image(world, grid, pose, CPU)
    rays = np.stack([grid.x, grid.y, np.ones_like(grid.x)], -1) @ pose[:3, :3].T
    walls = np.where(rays > 0, (6.0, 4.0, 3.0), 0.0)
    np.testing.assert_allclose(hits.t.numpy(), ((walls - pose[:3, 3]) / rays).min(-1), rtol=1e-5)


@pytest.mark.parametrize(("shape", "expected"), [("box", 1.6), ("cylinder", 1.6), ("sphere", 1.6)])
def test_solids_are_met_at_their_near_side(shape, expected):
    world = world_with(shape)
    pose = look_at((1.0, 2.0, 1.5), (5.0, 2.0, 1.5))
    hits = cast_image(world, RayGrid(np.zeros((1, 1)), np.zeros((1, 1))), pose, CPU)
    assert hits.t.item() == pytest.approx(expected, abs=1e-4)
    assert hits.face.item() == FACES  # the second solid's face 0


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_points_hit_lie_on_the_surface(shape):
    world = world_with(shape, turn=(0.3, -0.4, 0.9))
    pose = look_at((1.2, 1.0, 2.4), (3.0, 2.0, 1.5))
    grid = ray_grid(CAMERA, 1)
    hits = cast_image(world, grid, pose, CPU)
    on = hits.face.numpy() >= FACES
    assert on.sum() > 30
    rays = np.stack([grid.x, grid.y, np.ones_like(grid.x)], -1)[on]
    points = (rays * hits.t.numpy()[on][:, None]) @ pose[:3, :3].T + pose[:3, 3]
    solid = world.solids[1]
    unit = solid.local(points) / solid.half
    face = hits.face.numpy()[on] - FACES
    if shape == "sphere":
        np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-4)
    elif shape == "cylinder":
        side = face == 0
        np.testing.assert_allclose(np.hypot(*unit[side, :2].T), 1, atol=1e-4)
        np.testing.assert_allclose(np.abs(unit[~side, 2]), 1, atol=1e-4)
        assert (np.sign(unit[~side, 2]) == np.where(face[~side] == 5, 1, -1)).all()
    else:
        sign = np.where(face % 2 == 1, 1, -1)
        np.testing.assert_allclose(unit[range(len(unit)), face // 2], sign, atol=1e-4)
    assert np.abs(unit).max() < 1 + 1e-4


@pytest.mark.parametrize("model", ["PINHOLE", "OPENCV_FISHEYE"])
def test_bounds_leave_nothing_out(model):
    world = make_room(3)
    params = (30.0, 30.0, 20.0, 15.0) + ((0.02, -0.01, 0, 0) if model != "PINHOLE" else ())
    grid = ray_grid(Camera(model, 40, 30, params), 1)
    pose = look_at(world.size * (0.5, 0.5, 0.6), world.size * (0.1, 0.3, 0.2))
    bounded = cast_image(world, grid, pose, CPU)
    # One pixel at a time, so that the bounds of an image play no part.
    for row, column in [(0, 0), (29, 39), (15, 20), (20, 5), (8, 33), (25, 14)]:
        single: Any = RayGrid(grid.x[row : row + 1, column : column + 1],
                         grid.y[row : row + 1, column : column + 1])  # fmt: skip
        single.window = lambda solid, pose: (slice(None), slice(None))
        alone = cast_image(world, single, pose, CPU)
        assert alone.t.item() == pytest.approx(bounded.t[row, column].item(), rel=1e-6)
        assert alone.face.item() == bounded.face[row, column].item()


@pytest.mark.parametrize("shape", ["box", "cylinder", "sphere"])
def test_shadows_fall_behind_a_solid_only(shape):
    world = world_with(shape)
    points = torch.tensor([[5.0, 2.0, 1.5], [2.0, 2.0, 1.5], [5.0, 0.5, 1.5], [2.6, 2.0, 1.5]])
    stopped = occluded(world.solids[1:], np.array([1.0, 2.0, 1.5]), points)
    assert stopped.tolist() == [True, False, False, False]
