"""Image files: what is read, what is refused, and how it is said."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from reloc.errors import ImageError
from reloc.images import files
from reloc.images.files import (
    image_size,
    read_depth,
    read_image,
    stretch_notes,
    write_image,
)
from reloc.images.lens import read_lens

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


def test_gray_is_the_luma_of_rgb(saved, photo):
    luma = photo @ (0.299, 0.587, 0.114)
    gray = read_image(saved(".png"), gray=True)
    assert gray.dtype == np.uint8
    assert np.abs(gray - luma).max() < 1.5
    assert np.abs(read_image(saved(".jpg", quality=95), gray=True) - luma).mean() < 4


def test_gray_files_are_read_either_way(tmp_path):
    path = tmp_path / "a.pgm"
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_image(path, gray=True), values)
    np.testing.assert_array_equal(read_image(path), np.repeat(values[:, :, None], 3, axis=2))


@pytest.mark.parametrize("gray", [False, True])
def test_the_exif_orientation_is_ignored(saved, photo, gray):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = saved(".jpg", exif=exif, quality=95)
    assert image_size(path) == (60, 40)
    assert read_image(path, gray=gray).shape[:2] == (40, 60)


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".ppm", ".webp", ".tif"])
def test_files_cut_short_are_refused(saved, suffix, share):
    path = saved(suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=r"cut short|not a readable") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("read", [image_size, read_image, read_lens])
def test_damaged_tags_are_nothing_to_talk_about(saved, read):
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x20\0\x0f\x01\x02\0\xff\0\0\0"
    read(saved(".jpg", exif=exif))


def test_a_jpeg_that_ends_in_other_data_is_read(saved):
    """Phones append videos to their photos."""
    path = saved(".jpg")
    whole = read_image(path)
    path.write_bytes(path.read_bytes() + b"ftyp and so on" * 100)
    np.testing.assert_array_equal(read_image(path), whole)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match="no such image"):
        read_image(tmp_path)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nothing.jpg")
    for name, reason in (("pipe.jpg", "a pipe"), ("link.jpg", "a link to nothing")):
        with pytest.raises(ImageError, match=f"{name}: no such image; this is {reason}"):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".ppm", ".webp"])
@pytest.mark.parametrize("gray", [False, True])
def test_any_name_is_read_and_to_the_same_pixels(saved, tmp_path, suffix, gray):
    path = saved(suffix)
    flag = (cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    expected = cv2.imread(str(path), flag)
    path = path.rename(tmp_path / os.fsdecode("视图".encode("gbk") + suffix.encode()))
    pixels = read_image(path, gray=gray)
    np.testing.assert_array_equal(pixels, expected if gray else expected[:, :, ::-1])


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_any_name_is_written(photo, tmp_path, suffix):
    path = tmp_path / os.fsdecode("视图".encode("gbk") + suffix.encode())
    write_image(path, photo)
    assert np.abs(read_image(path).astype(int) - photo).mean() < (1 if suffix == ".png" else 5)


def test_what_cannot_be_encoded_is_an_error_of_writing(photo, tmp_path):
    for path, pixels in ((tmp_path / "a.jpg", photo[:0]), (tmp_path / "a.xyz", photo)):
        with pytest.raises(OSError, match="encoded"):
            write_image(path, pixels)


@pytest.mark.parametrize("size", [(1 << 20, 2), (3, 1 << 20)])
@pytest.mark.parametrize("read", [read_image, read_depth])
def test_an_image_wider_than_opencv_takes_is_refused(tmp_path, size, read):
    width, height = size[0] + 1, size[1] + 1
    path = tmp_path / "long.pgm"
    path.write_bytes(f"P5 {width} {height} 255\n".encode() + bytes(width * height))
    with pytest.raises(ImageError, match=f"long.pgm: {width}x{height} pixels are more") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_memory_that_is_short_is_a_matter_of_the_image(saved, monkeypatch):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr(cv2, "imdecode", greedy)
    with pytest.raises(ImageError, match="smaller"):
        read_image(saved(".png"))


def sixteen(tmp_path, values, suffix=".png"):
    path = tmp_path / f"sixteen{suffix}"
    assert cv2.imwrite(str(path), values)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
@pytest.mark.parametrize(("offset", "factor"), [(7000, 4), (0, 16), (0, 64), (60000, 1)])
def test_values_of_few_bits_in_a_file_of_sixteen_are_stretched(
    tmp_path, photo, suffix, offset, factor
):
    gray = photo[:, :, 1]
    path = sixteen(tmp_path, (offset + factor * gray.astype(np.uint16)), suffix)
    pixels = read_image(path, gray=True)
    assert pixels.dtype == np.uint8
    # To the full range, and nothing else than that.
    line = np.polyfit(gray.ravel(), pixels.ravel(), 1)
    assert np.abs(np.polyval(line, gray) - pixels)[(pixels > 0) & (pixels < 255)].max() < 2
    assert np.ptp(pixels) >= 0.95 * np.ptp(gray)
    np.testing.assert_array_equal(read_image(path)[:, :, 0], pixels)
    (note,) = stretch_notes([path])
    assert path.name in note and "stretched" in note


@pytest.mark.parametrize("color", [False, True])
def test_images_of_sixteen_bits_that_use_them_lose_the_lower_eight(tmp_path, photo, color):
    values = (photo if color else photo[:, :, 0]).astype(np.uint16) * 257
    path = sixteen(tmp_path, values)
    for gray, flag in ((True, cv2.IMREAD_GRAYSCALE), (False, cv2.IMREAD_COLOR)):
        expected = cv2.imread(str(path), flag)
        expected = expected if gray else expected[:, :, ::-1]
        np.testing.assert_array_equal(read_image(path, gray=gray), expected)
    assert stretch_notes([path]) == ()


def test_a_hot_pixel_does_not_keep_an_image_from_being_stretched(tmp_path, photo):
    values = 7000 + 4 * photo[:, :, 0].astype(np.uint16)
    plain = read_image(sixteen(tmp_path, values), gray=True)
    values[3, 3], values[5, 5] = 65535, 0
    spoiled = read_image(sixteen(tmp_path, values), gray=True)
    assert (spoiled[3, 3], spoiled[5, 5]) == (255, 0)
    assert np.abs(spoiled.astype(int) - plain)[10:].max() <= 4


def test_noise_in_the_dark_is_not_stretched_to_white(tmp_path):
    values = np.random.default_rng(0).integers(100, 104, (40, 60)).astype(np.uint16)
    assert read_image(sixteen(tmp_path, values), gray=True).max() <= 4


def test_only_stretched_images_are_told_of(saved, tmp_path):
    assert stretch_notes([saved(".jpg"), saved(".png"), tmp_path / "none.png"]) == ()
    assert stretch_notes([]) == ()


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


def test_a_color_image_is_no_depth(saved):
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
