"""Frames of videos: when they are shown, which way up, and what cannot be decoded."""

import base64
import os
import struct

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.images.sources import check_sources, named_images
from reloc.images.videos import check_video, video_frames, video_length, video_pictures

# Three frames of 64x48, interlaced MPEG-2, which no writer of OpenCV makes.
INTERLACED = """
AAABswQAMCP//+AYAAABtRSCAAEAAAAAAbgACABAAAABAAAP//gAAAG1j//zgAAAAAEB+3w++vFljFY++bFl4pHTzL9A
/va9LYTeeUTMGp35yDB9vC3zy+g3z6/Vk32hCA+HEW36pvnt9Cvn1/I6b82IQHw62Ispl6+z35mvuBDDAMF/GH4QA0v1
X5g++8KJqQ1DJWMNEwAAAAEC+3ngEIBNgFeI3vpd83ANQCbAK8RvfSL003w5CA+HW+f3z6+g3z6/Sk368QgPh1v1TfPr
6DfPr+RU35mQgPh1vn97AAzASB5EvH3rQDMBIAjIl+lJv14hAfDoAAABA/t54hljUdDHiwOX1d74FyEjjwDq+oJITLz3
zuwZ8vcn3cUWkr7f7DRFqsWKvPgFYDwngcu0SteWALED+TiBfoZfIRm5PIN8+TOQltuLPt9TQTHNJ188AbCydfTsG/Dr
54A34q+OTgHY/E4gXkZbgYUAf24396cmhgDdLuymOA7Vlljl3uwA/SOQTyDfQI6XCe9+sgYDUZ8rJHwAAAEE+3JvD3uL
w9+PpvlgKG2/Vd4a9zeGv282QaATFWy31++QX1+/E02hCA+HW+YX0G+fX0G/a8f7MNJBQggQAAABAABX//uAAAABtYEf
84AAAAABAfqDwDqABwT4A3IippYAPai4NAAMDUADAAAAAQL6lgA9qWAD2pYAPalgA9gAAAED+qgAdzddSwDaAAABBPo3
JvD3uLw9+PpvlgKG0b9V3hr3N4a/bzag0AmKD6Nlvr98gvr9+JpmQgPh1G+YX0G+fX0G/a8f7MNJBQggQAAAAQAAl//7
gAAAAbWBH/OAAAAAAQH6bRsAAAEC+m0bAAABA/ptujqbAAABBPo3JvD3uLw9+PpvlgKG0b9V3hr3N4a/bzag0AmKD6Nl
vr98gvr9+JpmQgPh1G+YX0G+fX0G/a8f7MNJBQggQA==
"""


@pytest.fixture
def video(tmp_path):
    """Eight frames at 10 Hz, each a little lighter than the one before."""
    path = tmp_path / "walk.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(8):
        writer.write(np.full((48, 64, 3), 30 * number, np.uint8))
    writer.release()
    return path


def with_steps(content, steps):
    """An MP4 whose frames are shown for so many parts of a tenth of a second: its ``stts`` box.

    The box before had one entry, of all frames; what follows it in the file moves.
    """
    at = content.index(b"stts")
    length, _, _, entries = struct.unpack(">I4sII", content[at - 4 : at + 12])
    assert entries == 1
    _, tenth = struct.unpack(">II", content[at + 12 : at + 20])
    rows = b"".join(struct.pack(">II", 1, round(tenth * step)) for step in steps)
    box = struct.pack(">I4sII", 16 + len(rows), b"stts", 0, len(steps)) + rows
    grown = len(box) - length
    changed = bytearray(content[: at - 4] + box + content[at - 4 + length :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        start = changed.index(name) - 4
        (size,) = struct.unpack(">I", changed[start : start + 4])
        changed[start : start + 4] = struct.pack(">I", size + grown)
    assert content.index(b"mdat") < content.index(b"moov")  # so that no offset of a frame moves
    return bytes(changed)


def test_frames_of_an_uneven_rate_have_the_times_at_which_they_are_shown(video):
    steps = [0.5, 0.5, 3, 0.4, 0.4, 2.2, 0.5, 0.5]  # eight, as the edit list of the file says
    video.write_bytes(with_steps(video.read_bytes(), steps))
    shown = np.concatenate([[0], np.cumsum(steps)[:-1]]) / 10
    assert [f.time for f in video_frames(video)] == pytest.approx(shown, abs=2e-3)
    # As of all frames, whichever are taken; and not as a mean rate would have it.
    assert [f.time for f in video_frames(video, every=3)] == pytest.approx(shown[::3], abs=2e-3)
    assert abs(shown[2] - 2 / 10) > 0.09


class Muddled:
    """A video whose container tells times that make no sense."""

    told = (0.0, 100.0, float("nan"), 50.0, -1.0, float("inf"))

    def __init__(self, name):
        self.number = -1

    def grab(self):
        self.number += 1
        return self.number < len(self.told)

    def retrieve(self):
        return True, np.full((4, 4, 3), self.number, np.uint8)

    def get(self, what):
        return 10.0 if what == cv2.CAP_PROP_FPS else self.told[self.number]

    def isOpened(self):
        return True

    def set(self, *_):
        return True

    def release(self):
        pass


def test_times_rise_and_are_finite_whatever_a_container_tells(video, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Muddled)
    assert [f.time for f in video_frames(video)] == pytest.approx([n / 10 for n in range(6)])


def test_a_video_is_turned_as_players_show_it(video):
    """By the matrix of its track, as phones write it."""
    content = bytearray(video.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix comes after 40 bytes
    one = 1 << 16
    assert struct.unpack(">9i", content[at : at + 36]) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    video.write_bytes(content)
    assert {frame.gray.shape for frame in video_frames(video)} == {(64, 48)}


def test_some_frames_are_given_in_colour(video):
    found = dict(video_pictures(video, {1, 6}))
    assert sorted(found) == [1, 6]
    assert found[6].shape == (48, 64, 3)
    assert abs(float(found[6].mean()) - 180) < 5
    assert list(video_pictures(video, set())) == []


def test_colours_are_in_the_order_of_images(tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / "red.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48)
    )
    writer.write(np.full((48, 64, 3), (0, 0, 220), np.uint8))  # OpenCV takes blue first
    writer.release()
    [(_, pixels)] = video_pictures(tmp_path / "red.mp4", {0})
    red, _, blue = pixels.reshape(-1, 3).mean(axis=0)
    assert red > 200 > 20 > blue


def test_the_length_is_what_the_container_tells(video):
    assert video_length(video) == (10.0, 8)
    with pytest.raises(ImageError, match="no such"):
        video_length(video.with_name("none.mp4"))


def test_interlaced_video_is_decoded_or_refused(tmp_path):
    path = tmp_path / "tape.mp4"
    path.write_bytes(base64.b64decode(INTERLACED))
    try:
        check_video(path)
    except ImageError as error:
        assert str(path) in str(error)
        assert "interlaced" in str(error)
    else:
        # An older FFmpeg converts it: test patterns have all greys.
        assert all(np.ptp(frame.gray) > 100 for frame in video_frames(path))


def test_frames_that_never_change_are_refused_before_work(tmp_path):
    path = tmp_path / "still.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), 77, np.uint8))
    writer.release()
    with pytest.raises(ImageError, match="interlaced"):
        check_sources([path])


@pytest.mark.parametrize(
    "raw", [b"\xca\xd3\xcd\xbc.mp4", b"%04d.mp4", b"a:b.mp4", "ä.mp4".encode(), b"a\nb.mp4"]
)
def test_a_video_may_have_any_name(video, raw):
    path = video.rename(video.parent / os.fsdecode(raw))
    frames = list(named_images([path]))
    assert len(frames) == 8
    assert os.fsencode(frames[3].name).endswith(raw + b"#000003")


def test_a_pipe_is_no_video(tmp_path):
    os.mkfifo(tmp_path / "walk.mp4")
    with pytest.raises(ImageError, match="pipe"):
        check_sources([tmp_path / "walk.mp4"])
