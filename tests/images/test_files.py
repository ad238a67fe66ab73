"""Image files: what is read, what is refused, and how it is said."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from reloc.errors import ImageError
from reloc.images import files
from reloc.images.files import image_size, read_depth, read_image

READERS = [image_size, read_image, read_depth]


@pytest.fixture
def photo():
    """(40, 60, 3) RGB, smooth, so that JPEG keeps its colours."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, (60, 40), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def saved(photo, tmp_path):
    def save(suffix, **options):
        path = tmp_path / f"photo{suffix}"
        Image.fromarray(photo).save(path, **options)
        return path

    return save


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_pixels_are_rgb_as_stored(saved, photo, suffix):
    path = saved(suffix)
    assert image_size(path) == (60, 40)
    pixels = read_image(path)
    np.testing.assert_array_equal(pixels, photo)
    assert pixels.flags.c_contiguous


def test_grey_is_the_luma_of_rgb(saved, photo):
    luma = photo @ (0.299, 0.587, 0.114)
    grey = read_image(saved(".png"), grey=True)
    assert grey.dtype == np.uint8
    assert np.abs(grey - luma).max() < 1.5
    assert np.abs(read_image(saved(".jpg", quality=95), grey=True) - luma).mean() < 4


def test_grey_files_are_read_either_way(tmp_path):
    path = tmp_path / "a.pgm"
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_image(path, grey=True), values)
    np.testing.assert_array_equal(read_image(path), np.repeat(values[:, :, None], 3, axis=2))


@pytest.mark.parametrize("grey", [False, True])
def test_the_exif_orientation_is_ignored(saved, photo, grey):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = saved(".jpg", exif=exif, quality=95)
    assert image_size(path) == (60, 40)
    assert read_image(path, grey=grey).shape[:2] == (40, 60)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "no such image"),
        (b"", "empty"),
        (b"this is no image at all" * 20, "not a readable image"),
        (b"\xff\xd8\xff", "not a readable image"),
        (png_header(100_000, 100_000), "exceeds|megapixels"),
        (png_header(11_000, 11_000), "121|megapixels"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, read, content, word):
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=word) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow talks about the damage
@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".ppm", ".webp"])
def test_files_cut_short_are_refused(saved, suffix, share):
    path = saved(suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=r"cut short|not a readable") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_a_jpeg_that_ends_in_other_data_is_read(saved):
    """Phones append videos to their photos."""
    path = saved(".jpg")
    whole = read_image(path)
    path.write_bytes(path.read_bytes() + b"ftyp and so on" * 100)
    np.testing.assert_array_equal(read_image(path), whole)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match="no such image"):
        read_image(tmp_path)


def test_files_beyond_the_limit_are_not_even_opened(saved, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(ImageError, match="over the limit"):
        read_image(saved(".bmp"))


def test_depth_is_read_as_stored(tmp_path):
    path = tmp_path / "depth.png"
    values = np.array([[0, 1, 65535], [1000, 256, 12]], np.uint16)
    cv2.imwrite(str(path), values)
    depth = read_depth(path)
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth, values)
    cv2.imwrite(str(path), values.astype(np.uint8))
    np.testing.assert_array_equal(read_depth(path), values.astype(np.uint8))
    floats = values.astype(np.float32) / 1000
    cv2.imwrite(str(tmp_path / "depth.tiff"), floats)
    np.testing.assert_array_equal(read_depth(tmp_path / "depth.tiff"), floats)


def test_a_colour_image_is_no_depth(saved):
    with pytest.raises(ImageError, match="single channel"):
        read_depth(saved(".png"))


def test_a_pointer_of_a_large_file_store_says_what_to_do(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{7:064d}\nsize 8\n")
    with pytest.raises(ImageError, match=r"pointer of a large-file store.*git lfs pull"):
        image_size(path)
    path.write_text("version 2")
    with pytest.raises(ImageError, match="no known format"):
        image_size(path)
