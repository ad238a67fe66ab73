"""A campus stands together in one frame, its rooms look alike, and each is walked twice."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from reloc.errors import OutputError
from reloc.geometry import inverted, transformed
from reloc.images.files import read_depth
from reloc.scenes import open_scene
from reloc.synthetic import campus as module
from reloc.synthetic.campus import ROOM, WALL, make_campus, write_campus
from reloc.synthetic.styles import PRINTS

pytestmark = pytest.mark.usefixtures("coarse")
SMALL: dict[str, Any] = {"rooms": 2, "mapping": 4, "queries": 1, "width": 64, "height": 48}


@pytest.fixture(scope="module")
def spaces():
    return make_campus(9, seed=2)


@pytest.fixture(scope="module")
def two_rooms():
    return make_campus(2, seed=2)


@pytest.fixture(scope="module")
def written(coarse, tmp_path_factory):
    told = []
    scene = write_campus(
        tmp_path_factory.mktemp("made") / "campus",
        seed=2,
        progress=lambda stage, done, total, **_: told.append((done, total)),
        **SMALL,
    )
    return scene, told


def bounds(space):
    """Corners (2, 3), lowest and highest, of a space on the campus."""
    corners = np.array(np.meshgrid(*((0.0, s) for s in space.world.size))).reshape(3, -1).T
    placed = transformed(space.campus_from_space, corners)
    return np.stack([placed.min(axis=0), placed.max(axis=0)])


def doors(space):
    """Middles (N, 3) of the doors of a space, at floor level on the campus."""
    solids = [s for s in space.world.solids if any(m.kind == "door" for m in s.materials)]
    middles = transformed(space.campus_from_space, np.array([s.center for s in solids]))
    return middles * (1, 1, 0)


@pytest.mark.slow
def test_buildings_are_rooms_along_corridors(spaces):
    assert Counter(space.kind for space in spaces) == {"room": 9, "corridor": 2}
    assert [s.name for s in spaces][7:10] == ["room-007", "corridor-000", "room-008"]
    boxes = [bounds(space) for space in spaces]
    for number, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:number]:
            gap = np.maximum(low - other_high, other_low - high).max()
            assert gap >= WALL - 1e-9


@pytest.mark.slow
def test_each_room_has_a_door_where_its_corridor_has_one(spaces):
    corridors = np.concatenate([doors(s) for s in spaces if s.kind == "corridor"])
    rooms = np.concatenate([doors(s) for s in spaces if s.kind == "room"])
    assert len(corridors) == len(rooms) == 9
    apart = np.linalg.norm(corridors[:, None] - rooms, axis=2)
    # Two leaves of 3 cm and the wall between them.
    np.testing.assert_allclose(apart.min(axis=0), WALL + 0.06, atol=1e-9)
    assert sorted(apart.argmin(axis=0)) == list(range(9))


@pytest.mark.slow
def test_rooms_look_alike_but_not_the_same(spaces):
    rooms = [space.world for space in spaces if space.kind == "room"]
    assert all(tuple(world.size) == ROOM for world in rooms)
    shells = Counter(world.solids[0].seed for world in rooms)
    assert 1 < len(shells) <= module.STYLES
    common = shells.most_common(1)[0][0]
    one, two = [world for world in rooms if world.solids[0].seed == common][:2]
    assert one.solids[0].materials == two.solids[0].materials

    def materials(world, *kinds):
        return {m for s in world.solids for m in s.materials if m.kind in kinds}

    def prints(world):
        return {s.seed for s in world.solids if any(m.kind in PRINTS for m in s.materials)}

    assert len(materials(one, "wood", "fabric") | materials(two, "wood", "fabric")) <= 4
    assert prints(one) and prints(two) and prints(one).isdisjoint(prints(two))
    assert {tuple(s.center) for s in one.solids} != {tuple(s.center) for s in two.solids}


@pytest.mark.slow
def test_a_seed_makes_one_campus(spaces, two_rooms):
    again, fewer, other = make_campus(9, seed=2), two_rooms, make_campus(2, seed=3)
    assert [s.world.seed for s in again] == [s.world.seed for s in spaces]
    assert [s.world.seed for s in fewer][:2] == [s.world.seed for s in spaces][:2]
    assert {s.world.seed for s in fewer}.isdisjoint(s.world.seed for s in other)


@pytest.mark.slow
def test_every_space_is_walked_twice_on_different_paths(written, two_rooms):
    scene, told = written
    assert (len(scene.mapping), len(scene.queries)) == (4 * 2 + 8, 2 + 2)
    assert told == [(n, 20) for n in range(1, 21)]
    spaces = {space.name: space for space in two_rooms}
    seen: Counter[Any] = Counter()
    for frame in (*scene.mapping, *scene.queries):
        space = spaces[frame.image.name[:-10]]
        seen[space.name] += 1
        low, high = bounds(space)
        center = frame.world_from_cam[:3, 3]
        assert (low < center).all() and (center < high).all()
    assert seen == {"room-000": 5, "room-001": 5, "corridor-000": 10}
    mapped = np.array([f.world_from_cam[:3, 3] for f in scene.mapping])
    for query in scene.queries:
        assert np.linalg.norm(mapped - query.world_from_cam[:3, 3], axis=1).min() > 0.01


@pytest.mark.slow
def test_what_is_on_disk_is_the_scene(written):
    scene, _ = written
    opened = open_scene(scene.root)
    assert [f.name for f in opened.mapping] == [f.name for f in scene.mapping]
    assert [f.name for f in opened.queries] == [f.name for f in scene.queries]
    for a, b in zip(opened.mapping, scene.mapping, strict=True):
        np.testing.assert_allclose(a.world_from_cam, b.world_from_cam, atol=1e-9)


@pytest.mark.slow
def test_depth_leads_to_surfaces_of_the_room(written, two_rooms):
    scene, _ = written
    spaces = {space.name: space for space in two_rooms}
    for frame in scene.mapping[::3]:
        space = spaces[frame.image.name[:-10]]
        depth = read_depth(frame.depth.path) * frame.depth.unit
        pixels = np.stack(np.meshgrid(np.arange(64), np.arange(48)), -1).reshape(-1, 2)[::37]
        rays = frame.camera.rays(pixels + 0.5)
        z = depth[pixels[:, 1], pixels[:, 0]][:, None]
        points = transformed(frame.world_from_cam, np.concatenate([rays * z, z], axis=1))
        local = transformed(inverted(space.campus_from_space), points)
        clearance = space.world.clearance(local)
        # Cylinders and spheres are taken for their bounding boxes.
        assert np.median(np.abs(clearance)) < 2e-3


@pytest.mark.slow
def test_a_seed_writes_the_same_files(written, tmp_path):
    scene, _ = written
    again = write_campus(tmp_path / "again", seed=2, depth=False, **SMALL)
    for a, b in zip(scene.mapping, again.mapping, strict=True):
        assert a.image.read_bytes() == b.image.read_bytes()
    assert again.mapping[0].depth is None


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(OutputError, match="already"):
        write_campus(tmp_path, **SMALL)


def test_a_campus_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def broken(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "photographed", broken)
    with pytest.raises(KeyboardInterrupt):
        write_campus(tmp_path / "campus", **SMALL | {"rooms": 1, "mapping": 1})
    assert list(tmp_path.iterdir()) == []
