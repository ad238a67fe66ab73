"""A campus: buildings of rooms on both sides of a corridor, many of which look alike.

Rooms and corridors are closed worlds of their own, each with a place in the frame of the campus.
Their doors meet: where a room has one, so has its corridor. z is up, corridors run along x.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.devices import sharing_threads
from reloc.errors import SceneError
from reloc.files import atomic_folder
from reloc.geometry import pose_from, rotation_from_vector
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame, Scene
from reloc.synthetic.paths import stroll, walk
from reloc.synthetic.rooms import make_room
from reloc.synthetic.scene import PARTS, photographed, scene_camera, scene_of_frames
from reloc.synthetic.styles import in_style
from reloc.synthetic.world import World

Array = NDArray[np.float64]
Rng = np.random.Generator

ROOM = (6.0, 4.8, 2.7)
CORRIDOR_WIDTH = 2.6
WALL = 0.2
COURTYARD = 8.0
# Rooms of a building, half of them on each side of its corridor.
PER_BUILDING = 8
# Rooms come in so many styles; all corridors have one of their own.
STYLES = 3
# A corridor is as large as several rooms.
CORRIDOR_FRAMES = 2
_TRIES = 20


@dataclass(frozen=True)
class Space:
    """A room or a corridor.

    Attributes:
        kind: which of the two.
        number: among those of its kind.
        world: what it looks like, in a frame of its own.
        campus_from_space: (4, 4), where it stands.
    """

    kind: Literal["room", "corridor"]
    number: int
    world: World
    campus_from_space: Array

    @property
    def name(self) -> str:
        """For instance ``room-007``."""
        return f"{self.kind}-{self.number:03d}"

    def frames(self, count: int) -> int:
        """How many frames it gets where a room gets ``count``."""
        return count * (CORRIDOR_FRAMES if self.kind == "corridor" else 1)

    def walks(self, mapping: int, queries: int) -> dict[str, list[Array]]:
        """Poses in its own frame by part, as many as ``frames`` tells of each number.

        Raises:
            SceneError: it is too full to walk in.
        """
        way = stroll if self.kind == "corridor" else walk
        return {
            part: way(self.world, seed=number, count=self.frames(count))
            for number, (part, count) in enumerate(zip(PARTS, (mapping, queries), strict=True))
        }


def make_campus(rooms: int, *, seed: int = 0) -> tuple[Space, ...]:
    """The rooms of a campus and their corridors.

    Args:
        rooms: how many.
        seed: the same seed makes the same rooms, and another one beside them if one more is wanted.

    Raises:
        SceneError: no rooms with space for a camera were found.
    """
    buildings = range(-(-rooms // PER_BUILDING))
    return tuple(
        space
        for building in buildings
        for space in _building(building, min(PER_BUILDING, rooms - building * PER_BUILDING), seed)
    )


def _building(number: int, rooms: int, seed: int) -> Iterator[Space]:
    length, depth, height = ROOM
    columns = -(-rooms // 2)
    corridor = (columns * (length + WALL) - WALL, CORRIDOR_WIDTH, height)
    y = number * (CORRIDOR_WIDTH + 2 * (WALL + depth) + COURTYARD)
    doors: list[tuple[int, float]] = []
    for index in range(rooms):
        column, south = divmod(index, 2)
        rng = np.random.default_rng([seed, number, index, 0xCA4B])
        x, door = column * (length + WALL), rng.uniform(0.2, 0.8) * length
        # The way in is at y = 0 of every room; those in the south are turned around.
        if south:
            turn, corner = np.pi, (x + length, y - WALL, 0.0)
            doors.append((2, x + length - door))
        else:
            turn, corner = 0.0, (x, y + CORRIDOR_WIDTH + WALL, 0.0)
            doors.append((0, corridor[0] - x - door))
        yield _space(
            "room",
            number * PER_BUILDING + index,
            rng,
            ROOM,
            style=int(rng.integers(STYLES)),
            doors=[(2, door)],
            windows=[0],
            campus_from_space=pose_from(rotation_from_vector((0.0, 0.0, turn)), corner),
        )
    yield _space(
        "corridor",
        number,
        np.random.default_rng([seed, number, 0xC011]),
        corridor,
        style=STYLES,
        doors=doors,
        windows=[1, 3],
        campus_from_space=pose_from(np.eye(3), (0.0, y, 0.0)),
    )


def _space(
    kind: Literal["room", "corridor"],
    number: int,
    rng: Rng,
    size: tuple[float, float, float],
    *,
    style: int,
    doors: Sequence[tuple[int, float]],
    windows: Sequence[int],
    campus_from_space: Array,
) -> Space:
    """A space that leaves room for a camera."""
    for _ in range(_TRIES):
        world = make_room(int(rng.integers(2**31)), size=size, doors=doors, windows=windows)
        space = Space(kind, number, in_style(world, style), campus_from_space)
        try:
            space.walks(1, 1)
        except SceneError:
            continue
        return space
    raise SceneError(f"{kind} {number} of a campus is too full for a camera; take another seed")


def write_campus(
    folder: Path,
    *,
    rooms: int,
    seed: int = 0,
    mapping: int = 120,
    queries: int = 30,
    width: int = 640,
    height: int = 480,
    depth: bool = True,
    device: str | torch.device = "cpu",
    progress: Progress = silent,
) -> Scene:
    """Makes a campus from a seed, walks twice through each of its rooms and writes what one sees.

    The layout is that of ``write_synthetic_scene``; the name of an image begins with that of its
    room. On a CPU as many rooms as PyTorch has threads are rendered at a time.

    Args:
        folder: must not exist, or be empty.
        rooms: how many, beside their corridors.
        seed: of the campus, the walks and the pictures.
        mapping: frames of the first walk through a room; a corridor has twice as many.
        queries: frames of the second, likewise.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        depth: whether to write depth images.
        device: where to render.
        progress: told of every frame.

    Raises:
        SceneError: no rooms with space for a camera were found.
        OutputError: something is there already, or the folder cannot be written to.
    """
    folder, device = Path(folder), torch.device(device)
    camera = scene_camera(width, height)
    spaces = make_campus(rooms, seed=seed)
    total = sum(space.frames(mapping) + space.frames(queries) for space in spaces)
    frames: dict[str, list[Frame]] = {part: [] for part in PARTS}
    lock, stopped = threading.Lock(), threading.Event()

    def photograph(number: int) -> None:
        space = spaces[number]
        photos = photographed(
            space.world,
            camera,
            space.walks(mapping, queries),
            rng=np.random.default_rng([seed, number, 0x5CE2]),
            device=device,
            prefix=f"{space.name}-",
            scene_from_world=space.campus_from_space,
        )
        for photo in photos:
            if stopped.is_set():
                return
            frame = photo.write(temporary, folder, depth=depth)
            with lock:
                frames[photo.part].append(frame)
                progress("rendering", sum(map(len, frames.values())), total)

    with atomic_folder(folder) as temporary, sharing_threads(len(spaces), device) as (pool, _):
        jobs = [pool.submit(photograph, number) for number in range(len(spaces))]
        try:
            for job in as_completed(jobs):
                job.result()
        finally:
            stopped.set()
    for part in PARTS:
        frames[part].sort(key=lambda frame: frame.name)
    return scene_of_frames(folder, frames)
