"""Files, folders and videos as images with names."""

import os

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError, OptionError
from reloc.images.sources import check_sources, named_images


def touched(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


@pytest.fixture
def video(tmp_path):
    """Seven frames at 10 Hz, each a little lighter than the one before."""
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(7):
        writer.write(np.full((48, 64, 3), 30 * number, np.uint8))
    writer.release()
    return path


def test_folders_are_searched_below_and_sorted(tmp_path):
    touched(tmp_path, "b/2.JPG", "b/1.png", "a.webp", "notes.txt", "b/walk.mp4")
    (tmp_path / "c.png").mkdir()
    images = list(named_images([tmp_path]))
    expected = [tmp_path / name for name in ("a.webp", "b/1.png", "b/2.JPG")]
    assert [item.image for item in images] == expected
    assert [item.name for item in images] == [path.as_posix() for path in expected]
    assert all(item.time is None for item in images)


def test_what_is_called_like_an_image_is_one(tmp_path):
    """Pipes and links to nothing are answered for, not passed over; folders are searched."""
    touched(tmp_path / "set.jpg", "a.png")
    touched(tmp_path / "set.jpg" / "deep.jpg", "b.png")
    (tmp_path / "set.jpg" / "link.jpg").symlink_to(tmp_path / "nothing.jpg")
    os.mkfifo(tmp_path / "set.jpg" / "pipe.jpg")
    (tmp_path / "empty.jpg").mkdir()
    found = check_sources([tmp_path / "set.jpg", tmp_path / "empty.jpg"])
    below = ("set.jpg/a.png", "set.jpg/deep.jpg/b.png", "set.jpg/link.jpg", "set.jpg/pipe.jpg")
    assert found == [tmp_path / name for name in (*below, "empty.jpg")]
    assert [i.image for i in named_images([tmp_path / "set.jpg", tmp_path / "empty.jpg"])] == found
    link = tmp_path / "set.jpg" / "link.jpg"
    assert [i.image for i in named_images([link])] == [link]


def test_the_order_is_as_given(tmp_path, video):
    touched(tmp_path / "folder", "z.png")
    touched(tmp_path, "a.jpg")
    names = [i.name for i in named_images([tmp_path / "folder", video, tmp_path / "a.jpg"])]
    assert names[0].endswith("z.png")
    assert names[1].endswith("walk.avi#000000")
    assert names[-1].endswith("a.jpg")
    assert len(names) == 9


@pytest.mark.parametrize(("every", "picks"), [(1, range(7)), (3, (0, 3, 6)), (100, (0,))])
def test_frames_of_a_video(video, every, picks):
    frames = list(named_images([video], every=every))
    assert [f.name for f in frames] == [f"{video.as_posix()}#{n:06d}" for n in picks]
    assert [f.time for f in frames] == pytest.approx([n / 10 for n in picks])
    for frame, number in zip(frames, picks, strict=True):
        assert isinstance(frame.image, np.ndarray)
        assert (frame.image.shape, frame.image.dtype) == ((48, 64), np.dtype(np.uint8))
        assert abs(frame.image.mean() - 30 * number) < 4


def test_a_truncated_video_gives_what_it_holds_or_one_line(video):
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) * 2 // 3])
    try:
        frames = list(named_images([video]))
    except ImageError as error:
        assert str(video) in str(error)
    else:
        assert 0 < len(frames) < 7


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_a_video_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "walk.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        list(named_images([path]))
    assert str(path) in str(caught.value)


def test_what_is_not_there_or_no_image_is_refused(tmp_path):
    touched(tmp_path / "texts", "a.txt")
    for path, reason in (
        (tmp_path / "gone.jpg", "no such image"),
        (tmp_path / "texts", "holds no images"),
        (tmp_path / "texts" / "a.txt", "by its suffix"),
    ):
        with pytest.raises(ImageError, match=reason) as caught:
            list(named_images([path]))
        assert str(path) in str(caught.value)
    with pytest.raises(OptionError, match="at least 1"):
        list(named_images([tmp_path], every=0))


def test_hidden_files_and_litter_are_no_images(tmp_path):
    touched(tmp_path, "1.jpg", "._1.jpg", ".trash/2.jpg", "__MACOSX/._1.jpg", "__MACOSX/b/3.jpg")
    touched(tmp_path, "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "b/4.jpg")
    assert [item.image for item in named_images([tmp_path])] == [
        tmp_path / "1.jpg",
        tmp_path / "b/4.jpg",
    ]
    hidden = tmp_path / ".trash"
    assert [item.image for item in named_images([hidden])] == [hidden / "2.jpg"]
