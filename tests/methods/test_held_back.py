"""Which frames are held back: few, spread, and only what the others cover."""

from pathlib import Path

import numpy as np

from reloc.geometry import Camera, look_at
from reloc.methods.held_back import LEAST, MOST, held_back_rows, part
from reloc.scenes.scene import Frame, Scene

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


def ring(count, *, radius=2.0):
    """Cameras on a circle that look at its middle."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.array(
        [look_at((radius * np.cos(a), radius * np.sin(a), 1), (0, 0, 1)) for a in angles]
    )


def scene_of(poses):
    frames = tuple(Frame(f"{n}", Path(f"{n}"), CAMERA, pose) for n, pose in enumerate(poses))
    return Scene("ring", Path(), "ace", frames)


def test_few_are_held_back_and_they_are_spread():
    for count, wanted in ((100, LEAST), (300, 15), (2000, MOST)):
        rows = held_back_rows(ring(count))
        assert len(rows) == wanted
        gaps = np.diff([*sorted(rows), min(rows) + count])
        assert gaps.max() < 3 * count / wanted
        assert gaps.min() > 1, "the frames beside one are not held back"


def test_what_the_others_do_not_cover_is_learned():
    lonely = look_at((40, 0, 1), (60, 0, 1))
    poses = np.array([*ring(99), lonely])
    assert 99 not in held_back_rows(poses)


def test_a_scene_is_parted_by_its_poses_alone():
    parted = part(scene_of(ring(100)))
    learned = [frame.name for frame in parted.learned.mapping]
    held = [frame.name for frame in parted.held_back]
    assert len(held) == LEAST
    assert sorted(map(int, learned + held)) == list(range(100))
    assert learned == [str(row) for row in parted.rows]
    scaled = ring(100)
    scaled[:, :3, 3] *= 100
    assert [f.name for f in part(scene_of(scaled)).held_back] == held


def test_of_few_frames_none_is_held_back():
    scene = scene_of(ring(59))
    parted = part(scene)
    assert parted.learned is scene
    assert parted.held_back == ()
    rows = np.array([3, 5])
    assert parted.with_held_back(rows) is rows


def test_who_watches_gets_those_held_back_with_their_neighbors():
    parted = part(scene_of(ring(100)))
    half = np.flatnonzero(parted.rows < 50)
    rows = parted.with_held_back(half)
    assert set(parted.rows[half]) < set(rows)
    joined = set(rows) - set(parted.rows)
    assert joined <= {int(frame.name) for frame in parted.held_back}
    assert all(row < 52 or row > 97 for row in joined)
    everything = parted.with_held_back(np.arange(len(parted.rows)))
    assert everything.tolist() == list(range(100))
