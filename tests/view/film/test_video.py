"""Films as files, read back."""

import cv2
import numpy as np
import pytest
from PIL import Image

from reloc.errors import OptionError, OutputError
from reloc.view.film.video import check_film_path, write_film


def pictures(count=8):
    for number in range(count):
        yield np.full((48, 64, 3), (20 * number, 90, 200), np.uint8)


def test_an_mp4_holds_all_pictures_in_their_colors(tmp_path):
    path = tmp_path / "new" / "film.MP4"
    write_film(path, pictures())
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == 25
    read = []
    while True:
        good, picture = video.read()
        if not good:
            break
        read.append(picture[:, :, ::-1].mean(axis=(0, 1)))
    expected = [p.mean(axis=(0, 1)) for p in pictures()]
    np.testing.assert_allclose(read, expected, atol=8)
    assert [p.name for p in path.parent.iterdir()] == ["film.MP4"]


def test_a_gif_moves(tmp_path):
    write_film(tmp_path / "film.gif", pictures())
    with Image.open(tmp_path / "film.gif") as image:
        assert (getattr(image, "n_frames", 1), image.size) == (4, (64, 48))
        image.seek(3)
        assert abs(np.asarray(image.convert("RGB"))[0, 0].astype(int) - (120, 90, 200)).max() < 12


def test_a_folder_gets_one_picture_a_file(tmp_path):
    write_film(tmp_path / "film", pictures(3))
    names = sorted(p.name for p in (tmp_path / "film").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png"]
    with Image.open(tmp_path / "film" / "00002.png") as image:
        assert image.getpixel((5, 5)) == (40, 90, 200)


def test_other_formats_are_refused_before_any_work(tmp_path):
    with pytest.raises(OptionError, match=r"\.mp4, \.gif"):
        check_film_path(tmp_path / "film.avi")


def test_no_encoder_is_one_clear_error(tmp_path, monkeypatch):
    class Closed:
        def __init__(self, *_):
            pass

        def isOpened(self):
            return False

    monkeypatch.setattr(
        cv2, "VideoWriter", type("W", (Closed,), {"fourcc": staticmethod(cv2.VideoWriter.fourcc)})
    )
    with pytest.raises(OutputError, match="cannot encode MP4"):
        write_film(tmp_path / "film.mp4", pictures())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_under_the_encoder_is_told(tmp_path, small_files):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(20)]
    with small_files(2000), pytest.raises(OutputError, match=r"film\.mp4: cannot be"):
        write_film(tmp_path / "film.mp4", noise)
    assert not list(tmp_path.iterdir())
