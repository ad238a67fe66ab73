"""Jumps of a tracker: phones correct their pose at once when they recognise a place."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from reloc.geometry import rotation_angle_deg
from reloc.scenes.scene import Array, Frame, poses_of

# A step is a jump if it is as long as this, in metres, or as far a turn, in degrees, as many times
# what is usual among those about it, and faster than people scan, by the second.
_LEAST, _LEAST_UNTIMED = (0.25, 20.0), (0.5, 45.0)
_FAST = (1.5, 200.0)
_TIMES = 6.0
_NEIGHBOURS = 8


def jumps(frames: Sequence[Frame]) -> list[int]:
    """Numbers of the frames of a walk, all posed, before which the tracker jumped.

    Where frames have no times a step counts by its length alone, and must be longer.
    """
    if len(frames) < 4:
        return []
    poses = poses_of(frames)
    distances = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    angles = np.array([rotation_angle_deg(a[:3, :3], b[:3, :3]) for a, b in pairwise(poses)])
    seconds = _seconds(frames)
    found = np.zeros(len(distances), np.bool_)
    for kind, steps in enumerate((distances, angles)):
        if seconds is None:
            rates, large = steps, steps > _LEAST_UNTIMED[kind]
        else:
            rates = steps / seconds
            large = (steps > _LEAST[kind]) & (rates > _FAST[kind])
        usual = np.array([_usual(rates, at) for at in range(len(rates))])
        found |= large & (rates > _TIMES * usual)
    return [int(at) + 1 for at in np.flatnonzero(found)]


def jump_notes(frames: Sequence[Frame]) -> tuple[str, ...]:
    """What to tell of the jumps of a walk."""
    found = jumps(frames)
    if not found:
        return ()
    at = found[0]
    a, b = (frame.world_from_cam for frame in frames[at - 1 : at + 1])
    assert a is not None and b is not None
    apart = float(np.linalg.norm(b[:3, 3] - a[:3, 3]))
    return (
        f"the tracker jumped {len(found)} times, for instance by {apart:.2f} m and "
        f"{rotation_angle_deg(a[:3, :3], b[:3, :3]):.0f} degrees between {frames[at - 1].name} and "
        f"{frames[at].name}; poses before and after may not fit together, and a map of one part "
        "alone may be better",
    )


def _seconds(frames: Sequence[Frame]) -> Array | None:
    """Time (N,) of each step; None if frames have no times, or not in order."""
    times = [frame.time for frame in frames]
    if any(time is None for time in times):
        return None
    steps = np.diff(np.array(times, np.float64))
    return steps if (steps > 0).all() else None


def _usual(steps: Array, at: int) -> float:
    """The median of the steps about one, without it."""
    near = np.concatenate(
        [steps[max(0, at - _NEIGHBOURS) : at], steps[at + 1 : at + 1 + _NEIGHBOURS]]
    )
    return float(np.median(near))
