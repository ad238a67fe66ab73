"""Frames of a video: evenly by how far the picture moves, and sharp ones."""

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError, SceneError
from reloc.sfm.walk import LEAST, MOST, STEP, Looked, Motion, chosen_frames, looked_over


@pytest.fixture(scope="module")
def wall():
    """A wide picture (120, 2000) with detail of several sizes."""
    rng = np.random.default_rng(0)
    noise = [cv2.GaussianBlur(rng.normal(size=(120, 2000)), (0, 0), size) for size in (1.5, 4, 12)]
    picture = sum(n / n.std() for n in noise)
    return np.clip(128 + 40 * picture, 0, 255).astype(np.uint8)


def looked(moved, blur=0.4):
    blurs = np.broadcast_to(blur, len(moved))
    return [
        Looked(n, n / 10, m, b) for n, (m, b) in enumerate(zip(moved, blurs.tolist(), strict=True))
    ]


def test_the_way_of_the_picture_is_followed(wall):
    motion = Motion()
    ways = [motion.after(wall[:, x : x + 160]) for x in range(0, 640, 8)]
    assert ways[-1] == pytest.approx(632 / 160, rel=0.03)
    assert np.all(np.diff(ways) >= 0)


def test_trembling_is_no_way(wall):
    motion = Motion()
    ways = [motion.after(wall[:, 50 + shake : 210 + shake]) for shake in [0, 2, 0, 1, 2, 0, 2] * 20]
    assert ways[-1] < 0.02


def test_another_picture_is_a_step(wall):
    motion = Motion()
    motion.after(wall[:, :160])
    assert motion.after(np.ascontiguousarray(wall[::-1, 1800:1960])) == pytest.approx(STEP)


def test_frames_are_taken_by_the_way_and_not_by_time():
    # A long rest, then a way of six pictures.
    moved = [*np.zeros(500), *np.linspace(0, 6, 1200)]
    ways = [frame.moved for frame in chosen_frames(looked(moved), name="walk.mp4")]
    assert len(ways) == round(6 / STEP)
    assert np.diff(ways).max() < 2 * STEP
    assert sum(way == 0 for way in ways) == 1


def test_the_sharpest_of_each_step_is_taken():
    blurs = [0.7, 0.7, 0.3, 0.7, 0.7] * 240
    chosen = chosen_frames(looked(np.linspace(0, 6, 1200), blurs), name="walk.mp4")
    assert {frame.blur for frame in chosen} == {0.3}


@pytest.mark.parametrize(("way", "count"), [(0.5, LEAST), (1000.0, MOST)])
def test_short_and_long_walks_have_bounded_numbers_of_frames(way, count):
    assert len(chosen_frames(looked(np.linspace(0, way, 4000)), name="walk.mp4")) == count


def test_a_camera_that_stands_still_is_refused():
    with pytest.raises(SceneError, match="stands still in all 300 frames"):
        chosen_frames(looked(np.linspace(0, 0.03, 300)), name="walk.mp4")


def test_a_video_is_looked_over(film):
    told = []
    frames = looked_over(film, progress=lambda stage, done, total, **_: told.append((done, total)))
    assert [frame.number for frame in frames] == list(range(24))
    assert frames[-1].moved > 0.15
    assert frames[1].moved == pytest.approx(frames[0].moved, abs=0.01), "each photo is shown twice"
    assert told[-1] == (24, 24)


def test_a_broken_video_is_one_line(tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"no video")
    with pytest.raises(ImageError, match="cannot be read as a video"):
        looked_over(tmp_path / "walk.mp4")
