"""Walks of a camera through a room, clear of its furniture."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.errors import SceneError
from reloc.geometry import look_at, pose_from, rotation_from_vector
from reloc.synthetic.cast import RayGrid, cast_image
from reloc.synthetic.world import World

Array = NDArray[np.float64]
Rng = np.random.Generator

# A picture taken nearer than this to what fills it shows nothing that tells the place.
_CLEARANCE = 0.4
_VIEW = RayGrid(*np.meshgrid(np.linspace(-0.6, 0.6, 9), np.linspace(-0.45, 0.45, 7)))


def free_points(
    world: World, rng: Rng, count: int, *, low: float = 1.0, high: float = 1.85
) -> Array:
    """Points (count, 3) at heights between ``low`` and ``high`` metres with room around them.

    Raises:
        SceneError: the room is too full to find any.
    """
    found: list[Array] = []
    size = world.size
    for _ in range(200):
        points = rng.uniform((0.4, 0.4, low), (size[0] - 0.4, size[1] - 0.4, high), (64, 3))
        found.extend(points[world.clearance(points) > _CLEARANCE])
        if len(found) >= count:
            return np.array(found[:count])
    raise SceneError(f"the room of seed {world.seed} is too full for a camera; take another seed")


def shows_enough(world: World, world_from_cam: Array) -> bool:
    """Whether a view has depth: its nearest parts are not in its face, its middle is farther."""
    depth = cast_image(world, _VIEW, world_from_cam, torch.device("cpu")).t.numpy()
    return bool(np.median(depth) > 1.4 and np.quantile(depth, 0.1) > 0.45)


def looking(eye: Array, yaw: float, pitch: float, roll: float) -> Array:
    """``world_from_cam`` of a camera at ``eye``; angles in radians, pitch up, roll clockwise."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    pose = look_at(eye, eye + forward)
    return pose_from(pose[:3, :3] @ rotation_from_vector((0.0, 0.0, roll)), eye)


def walk(world: World, *, seed: int, count: int, rounds: int = 2) -> list[Array]:
    """Poses of a smooth walk around a room: outwards at first, across the room in later rounds.

    Args:
        world: the room.
        seed: another seed walks another path through the same volume.
        count: how many poses.
        rounds: how often around the room.

    Raises:
        SceneError: the room is too full to walk in.
    """
    rng = np.random.default_rng([world.seed, seed, 0x3A1C])
    spots = free_points(world, rng, 100 * rounds)
    middle = world.size[:2] / 2
    east, north = (spots[:, :2] - middle).T
    bearing, radius = np.arctan2(north, east), np.hypot(east, north)
    # One waypoint for each stretch of every round, in order around the middle of the room and
    # neither in its centre nor along the walls, so that different walks share their volume.
    stops = []
    for start in range(rounds):
        own = np.arange(start, len(spots), rounds)
        for part in np.array_split(own[np.argsort(bearing[own])], 7):
            by_radius = part[np.argsort(radius[part])]
            stops.append(int(rng.choice(by_radius[len(part) // 3 : -(len(part) // 4)])))
    dense = _through(spots[stops], max(100, count))

    def heading(share: float, eye: Array) -> float:
        outwards = np.arctan2(eye[1] - middle[1], eye[0] - middle[0])
        turn, part = divmod(share * rounds, 1.0)
        return float(outwards + np.pi * (turn + np.clip((part - 0.85) / 0.15, 0, 1)))

    return _looking_around(world, rng, dense, heading, count=count, sways=rounds)


def stroll(world: World, *, seed: int, count: int) -> list[Array]:
    """Poses of a smooth walk along a corridor and back, mostly looking where it goes.

    Args:
        world: the corridor, along x.
        seed: another seed walks another path through the same volume.
        count: how many poses.

    Raises:
        SceneError: the corridor is too full to walk in.
    """
    rng = np.random.default_rng([world.seed, seed, 0x57A0])
    stretches = max(2, round(world.size[0] / 2))
    spots = free_points(world, rng, 60 * stretches)
    # Two waypoints for each stretch, one on the way there and one on the way back.
    parts = np.array_split(np.argsort(spots[:, 0]), stretches)
    there, back = np.array([rng.choice(part, 2, replace=False) for part in parts]).T
    dense = _through(spots[np.concatenate([there, back[::-1]])], max(50, count))

    def heading(share: float, eye: Array) -> float:
        return float(np.pi * np.clip((share - 0.48) / 0.04, 0, 1))

    return _looking_around(world, rng, dense, heading, count=count, sways=stretches / 3)


def _looking_around(
    world: World,
    rng: Rng,
    dense: Array,
    heading: Callable[[float, Array], float],
    *,
    count: int,
    sways: float,
) -> list[Array]:
    """Poses along a path (N, 3), wherever it is clear, that look about their heading.

    Args:
        world: where the path is.
        rng: where the randomness comes from.
        dense: the path, in steps much smaller than those between poses.
        heading: where to look at a share of the path, at a point of it, in radians.
        count: how many poses.
        sways: how often to look to both sides on the way.
    """
    where = np.linspace(0, 1, len(dense), endpoint=False)
    clear = np.flatnonzero(world.clearance(dense) > 0.8 * _CLEARANCE)
    if len(clear) < count:
        raise SceneError(f"the room of seed {world.seed} is too full to walk in; take another seed")
    # All walks of a room turn their heads at about the same places: what one saw from here, the
    # next sees from over there.
    habit = np.random.default_rng([world.seed, 0x4AB1]).uniform(0, 2 * np.pi, 3)
    phase = habit + rng.normal(0, 0.35, 3)
    poses: list[Array] = []
    for index in clear[np.linspace(0, len(clear) - 1, count).round().astype(int)]:
        share, eye = float(where[index]), dense[index]
        sway = 2 * np.pi * sways * share
        yaw = heading(share, eye) + 0.9 * np.sin(1.7 * sway + phase[0])
        pitch = -0.16 + 0.2 * np.sin(2.6 * sway + phase[1])
        roll = 0.06 * np.sin(3.7 * sway + phase[2]) + rng.normal(0, 0.02)
        for aside in (0, 0.5, -0.5, 1.0, -1.0, 1.6, -1.6, 2.3, -2.3, np.pi):
            pose = looking(eye, yaw + aside, pitch, roll)
            if shows_enough(world, pose):
                break
        poses.append(pose)
    return poses


def _through(stops: Array, steps: int) -> Array:
    """A closed Catmull-Rom curve through points (N, 3), ``steps`` points for each."""
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for k in range(len(stops)):
        a, b, c, d = (stops[(k + i) % len(stops)] for i in (-1, 0, 1, 2))
        parts.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                   + (3 * b - a - 3 * c + d) * t**3)
        )  # fmt: skip
    return np.concatenate(parts)
