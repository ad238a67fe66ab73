"""Which frames of a video with poses become images."""

import numpy as np

from reloc.geometry import pose_from, rotation_from_vector
from reloc.scenes import video_frames
from reloc.scenes.video_frames import frames_of_rows, stretches_of
from tests.scenes.layouts import phones


def poses_along(xs, turns=None):
    turns = np.zeros(len(xs)) if turns is None else np.radians(turns)
    rotations = [rotation_from_vector((0, turn, 0)) for turn in turns]
    return [(pose_from(r, (x, 0, 0)), None) for r, x in zip(rotations, xs, strict=True)]


def test_stretches_are_even_by_motion_and_not_by_time():
    still, walking = np.zeros(50), np.arange(1, 21) * 0.051
    stretches = stretches_of(poses_along(np.concatenate([still, walking])))
    assert stretches[0] == tuple(range(51))
    assert {len(stretch) for stretch in stretches[1:-1]} == {2}


def test_turning_on_the_spot_counts():
    assert len(stretches_of(poses_along(np.zeros(37), np.arange(37) * 10.0))) == 37


def test_lost_poses_begin_no_stretch():
    poses = poses_along([0.0, 1.0, 2.0])
    poses[1] = (None, "lost")
    assert stretches_of(poses) == [(0,), (2,)]
    assert stretches_of([(None, "lost")] * 3) == [] == stretches_of([])


def test_long_walks_are_thinned():
    stretches = stretches_of(poses_along(np.arange(3000) * 0.2), most=100)
    assert 70 <= len(stretches) <= 100
    assert len({len(stretch) for stretch in stretches[:-1]}) <= 2


def test_the_sharpest_frame_of_a_stretch(walk, tmp_path, monkeypatch):
    path = tmp_path / "rgb.mp4"
    path.write_bytes(phones.video(walk))
    order = [3.0, 9.0, 1.0, 2.0, 8.0, 4.0, 5.0, 7.0]
    scores = iter(order)
    monkeypatch.setattr(video_frames, "_sharpness", lambda pixels: next(scores))
    poses = poses_along([0, 0, 0, 0, 1, 1, 1, 1])
    found = frames_of_rows(path, poses, rows_file=tmp_path / "rows.csv")
    assert (sorted(found.images), found.missing) == ([1, 4], 0)
    assert sorted(p.name for p in found.images[1].parent.glob("*.jpg")) == [
        "000001.jpg",
        "000004.jpg",
    ]
