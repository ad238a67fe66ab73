"""Stray Scanner: a video whose frames belong to rows of a table."""

import struct

import pytest

from reloc.errors import SceneError
from reloc.images.videos import video_frames
from reloc.scenes import open_scene
from tests.scenes.layouts import phones
from tests.scenes.layouts.walks import hold, write


def test_video_with_intrinsics_of_each_frame(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.stray(walk)))
    assert (scene.layout, scene.unit) == ("stray", "metre")
    hold(walk, scene, depths=8)
    assert scene.mapping[1].name == "rgb/000001.jpg"
    assert scene.mapping[2].time == pytest.approx(100.4)
    assert [note for note in scene.notes if "missing" in note or "jump" in note] == []


def test_older_recordings_have_one_matrix(walk, tmp_path):
    hold(walk, open_scene(write(tmp_path, phones.stray(walk, newer=False))), depths=8)


def test_a_decoder_that_drops_the_first_frame_shifts_nothing(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.stray(walk, first=1)))
    hold(walk, scene, numbers=range(1, 8), depths=7)
    assert "the first frame of rgb.mp4 is missing, as some decoders drop it" in scene.notes


def test_fewer_frames_than_that_belong_to_no_rows(walk, tmp_path):
    root = write(tmp_path, phones.stray(walk, first=2))
    with pytest.raises(SceneError, match=r"rgb\.mp4: has 6 frames, but odometry\.csv has 8 rows"):
        open_scene(root)


def test_images_in_place_of_the_video_are_named_by_number(walk, tmp_path):
    root = write(tmp_path, phones.stray(walk, as_images=True))
    (root / "rgb/000000.jpg").unlink()
    hold(walk, open_scene(root), numbers=range(1, 8), depths=7)


def test_the_video_is_decoded_once(walk, tmp_path, monkeypatch):
    root = write(tmp_path, phones.stray(walk))
    first = open_scene(root)
    monkeypatch.setattr("reloc.scenes.video_frames.show_frames", None)
    assert [f.image for f in open_scene(root).mapping] == [f.image for f in first.mapping]


def test_a_cut_table_is_told(walk, tmp_path):
    root = write(tmp_path, phones.stray(walk))
    path = root / "odometry.csv"
    path.write_text(path.read_text()[:-120])
    with pytest.raises(SceneError, match=r"odometry\.csv:9: ends after \d+ cells"):
        open_scene(root)
    path.write_text("timestamp, frame\n")
    with pytest.raises(SceneError, match=r"odometry\.csv: has no column x, y, z"):
        open_scene(root)


def test_a_video_that_players_turn_is_read_as_it_is_stored(walk, tmp_path):
    """Intrinsics and poses belong to the stored pixels."""
    files = dict(phones.stray(walk))
    content = bytearray(files["rgb.mp4"])
    at = content.index(b"tkhd") + 44
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 72 << 16, 0, 1 << 30)
    content[at : at + 36] = quarter
    files["rgb.mp4"] = bytes(content)
    root = write(tmp_path, files)
    assert next(video_frames(root / "rgb.mp4")).gray.shape == (96, 72)
    hold(walk, open_scene(root), depths=8)
