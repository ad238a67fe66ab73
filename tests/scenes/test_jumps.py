"""Jumps of a tracker, which walks do not have."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera, look_at, pose_from, rotation_from_vector
from reloc.scenes import Frame
from reloc.scenes.jumps import jump_notes, jumps

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


def walk(count=60, *, step=0.05, times=True):
    """A person who walks in a circle, turns about twice and stands still for a while."""
    rng = np.random.default_rng(0)
    frames, angle = [], 0.0
    for number in range(count):
        angle += 0 if 20 <= number < 30 else step / 2
        eye = (2 * np.cos(angle), 2 * np.sin(angle), 1.5 + 0.01 * rng.normal())
        pose = look_at(eye, (0, 0, 1))
        pose[:3, :3] = pose[:3, :3] @ rotation_from_vector((0, 0.8 * np.sin(0.3 * number), 0))
        frames.append(Frame(f"{number:03d}", Path("x"), CAMERA, pose, None, 0.1 * number))
    return frames if times else [replace(frame, time=None) for frame in frames]


def moved(frames, at, world_from_world):
    return [
        *frames[:at],
        *(replace(f, world_from_cam=world_from_world @ f.world_from_cam) for f in frames[at:]),
    ]


@pytest.mark.parametrize("times", [True, False])
def test_a_walk_has_none(times):
    assert jumps(walk(times=times)) == []


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("at", [1, 25, 59])
def test_a_shift_and_a_turn(times, at):
    frames = walk(times=times)
    assert jumps(moved(frames, at, pose_from(np.eye(3), (0.6, 0.2, 0)))) == [at]
    about_eye = frames[at].world_from_cam[:3, 3]
    turn = pose_from(rotation_from_vector((0, 0, 2.0)), (0, 0, 0))
    turn[:3, 3] = about_eye - turn[:3, :3] @ about_eye
    assert at in jumps(moved(frames, at, turn))


def test_both_are_told_with_the_frames():
    (note,) = jump_notes(moved(walk(), 40, pose_from(np.eye(3), (0, 1.5, 0))))
    assert "jumped 1 times, for instance by 1.5" in note and "between 039 and 040" in note


def test_a_pause_is_no_jump():
    frames = walk()
    later = [replace(frame, time=frame.time + 30) for frame in frames[40:]]
    assert jumps([*frames[:30], *later]) == []


def test_a_quick_look_aside_is_no_jump():
    """Within a second after standing still for long."""
    eye, frames = np.array([2.0, 0, 1.5]), []
    for number in range(60):
        angle = np.radians(60 * np.clip((number - 30) / 10, 0, 1))
        pose = look_at(eye, eye + (np.cos(angle), np.sin(angle), 0))
        frames.append(Frame(f"{number}", Path("x"), CAMERA, pose, None, 0.1 * number))
    assert jumps(frames) == []
    # Keyframes of it alone, far apart.
    assert jumps(frames[:30:6] + frames[30::6]) == []
