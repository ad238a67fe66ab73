"""Copies of images that tell nothing beside their pixels."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from reloc.errors import ImageError
from reloc.images.files import read_image
from reloc.images.metadata import tells_position, write_without_metadata

SECRET = b"52.5200N Anna"
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
PROFILE = b"a profile of colours" * 4
XMP = b"<x:xmpmeta><exif:GPSLatitude>" + SECRET + b"</exif:GPSLatitude></x:xmpmeta>"


def exif(*, position: bool = True) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Artist] = SECRET.decode()
    tags[ExifTags.Base.Orientation] = 6
    if position:
        tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return tags


def jpeg(*, second: bool = True, **options) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(PIXELS)
    image.save(
        file,
        "JPEG",
        exif=exif(),
        comment=SECRET,
        icc_profile=PROFILE,
        xmp=XMP,
        quality=90,
        **options,
    )
    data = file.getvalue()
    # Photoshop's IPTC, and behind the picture a second one, as phones append films and depth.
    iptc = b"Photoshop 3.0\x008BIM" + SECRET
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    return data[:2] + segment + data[2:] + (data if second else b"")


def png() -> bytes:
    file = io.BytesIO()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    image = Image.fromarray(PIXELS)
    image.save(file, "PNG", pnginfo=text, exif=exif(), icc_profile=PROFILE)
    return file.getvalue() + SECRET


def webp(*, lossless: bool) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(PIXELS)
    image.save(file, "WEBP", lossless=lossless, exif=exif(), xmp=XMP, icc_profile=PROFILE)
    return file.getvalue()


KINDS = {
    "baseline.jpg": jpeg(),
    "progressive.jpg": jpeg(progressive=True),
    "restarts.jpg": jpeg(restart_marker_blocks=1),
    "named-wrongly.png": jpeg(),
    "text.png": png(),
    "lossy.webp": webp(lossless=False),
    "lossless.webp": webp(lossless=True),
}


@pytest.mark.parametrize("name", KINDS)
def test_pixels_and_profile_stay_and_nothing_else(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / name, tmp_path / f"stripped-{name}"
    source.write_bytes(KINDS[name])
    assert SECRET in KINDS[name]
    assert tells_position(source)
    write_without_metadata(source, target)
    np.testing.assert_array_equal(read_image(target), read_image(source))
    assert not tells_position(target)
    data = target.read_bytes()
    assert SECRET not in data
    with Image.open(source) as before, Image.open(target) as after:
        assert (after.format, after.mode) == (before.format, before.mode)
        assert after.info.get("icc_profile") == PROFILE
        assert not after.getexif()
        assert not {"exif", "xmp", "comment", "Comment", "photoshop"} & set(after.info)
        assert after.info.get("jfif_density") == before.info.get("jfif_density")
    again = tmp_path / f"again-{name}"
    write_without_metadata(target, again)
    assert again.read_bytes() == data


def test_a_jpeg_without_its_end_marker_is_not_mended(tmp_path: Path) -> None:
    # It may have been cut short, and readers have to be able to tell.
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(jpeg(second=False)[:-2])
    write_without_metadata(source, target)
    assert SECRET not in target.read_bytes()
    assert target.read_bytes()[-40:] == source.read_bytes()[-40:]
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    np.testing.assert_array_equal(cv2.imread(str(target), flags), cv2.imread(str(source), flags))


def test_colors_of_an_adobe_jpeg_stay(tmp_path: Path) -> None:
    # Without the segment of Adobe a decoder takes these for YCCK or inverts them.
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    Image.fromarray(np.dstack([PIXELS, PIXELS[:, :, 0]]), "CMYK").save(source, comment=SECRET)
    write_without_metadata(source, target)
    assert SECRET in source.read_bytes() and SECRET not in target.read_bytes()
    with Image.open(source) as before, Image.open(target) as after:
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_tiff_is_encoded_anew_without_loss(tmp_path: Path, depth: type) -> None:
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    pixels: np.ndarray = PIXELS.astype(depth) * (1 if depth is np.uint8 else 257)
    assert cv2.imwrite(str(source), pixels)
    if depth is np.uint8:
        with Image.open(source) as image:
            image.load()
            image.save(source, description=SECRET.decode(), tiffinfo={700: XMP})
        assert tells_position(source) and SECRET in source.read_bytes()
    write_without_metadata(source, target)
    assert not tells_position(target) and SECRET not in target.read_bytes()
    flag = cv2.IMREAD_UNCHANGED
    np.testing.assert_array_equal(cv2.imread(str(target), flag), cv2.imread(str(source), flag))


def test_comments_of_a_pgm_go(tmp_path: Path) -> None:
    source, target = tmp_path / "a.pgm", tmp_path / "b.pgm"
    source.write_bytes(b"P5\n# " + SECRET + b"\n32 24\n255\n" + PIXELS[:, :, 0].tobytes())
    write_without_metadata(source, target)
    assert SECRET not in target.read_bytes()
    np.testing.assert_array_equal(read_image(target), read_image(source))


def test_what_cannot_be_kept_bit_for_bit_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    Image.fromarray(np.dstack([PIXELS, PIXELS[:, :, 0]]), "CMYK").save(source)
    with pytest.raises(ImageError, match="convert it to JPEG or PNG"):
        write_without_metadata(source, tmp_path / "b.tif")


@pytest.mark.parametrize("name", ["baseline.jpg", "text.png", "lossy.webp"])
def test_damaged_files_are_refused_or_cut_as_they_are(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    path, out = tmp_path / name, tmp_path / "out"
    whole = KINDS[name]
    for _ in range(80):
        data = bytearray(whole[: rng.integers(1, len(whole))])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try:
            write_without_metadata(path, out)
            tells_position(path)
        except ImageError as error:
            assert "\n" not in str(error)


def test_exif_without_a_position_is_no_position(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif(position=False))
    assert not tells_position(tmp_path / "a.jpg")
