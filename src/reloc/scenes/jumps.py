"""Jumps of a tracker: phones correct their pose at once when they recognise a place."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from reloc.geometry import rotation_angle_deg
from reloc.scenes.scene import Frame, poses_of

# A step is a jump if it is as long as this, in scene units, which are metres, or as far a turn in
# degrees, and as many times what is usual among those about it. Nobody walks in such steps.
_LEAST = (0.25, 20.0)
_TIMES = 6.0
_NEIGHBOURS = 8


def jumps(frames: Sequence[Frame]) -> list[int]:
    """Numbers of the frames of a walk, all posed, before which the tracker jumped.

    Distance and angle count by the frame or, where all have a time, by the second as long as that
    makes steps smaller, so that a pause of the recording is no jump.
    """
    if len(frames) < 4:
        return []
    poses = poses_of(frames)
    distances = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    angles = np.array([rotation_angle_deg(a[:3, :3], b[:3, :3]) for a, b in pairwise(poses)])
    gaps = _gaps(frames)
    found = np.zeros(len(distances), np.bool_)
    for steps, least in zip((distances, angles), _LEAST, strict=True):
        usual = np.array([_usual(steps / gaps, at) for at in range(len(steps))])
        found |= (steps > least) & (steps / gaps > _TIMES * usual)
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
        f"{frames[at].name}; poses before and after do not agree, so map the parts alone",
    )


def _gaps(frames: Sequence[Frame]) -> np.ndarray:
    """Steps of time, in those that are usual but at least one."""
    times = [frame.time for frame in frames]
    if any(time is None for time in times):
        return np.ones(len(frames) - 1)
    steps = np.diff(np.array(times, np.float64))
    usual = float(np.median(steps))
    return np.maximum(steps / usual, 1.0) if usual > 0 else np.ones(len(steps))


def _usual(steps: np.ndarray, at: int) -> float:
    """The median of the steps about one, without it."""
    near = np.concatenate(
        [steps[max(0, at - _NEIGHBOURS) : at], steps[at + 1 : at + 1 + _NEIGHBOURS]]
    )
    return float(np.median(near))
