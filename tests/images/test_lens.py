"""What photos say of their lenses: true, nothing, and nonsense."""

import math

import pytest
from PIL import ExifTags, Image

from reloc.images.lens import MAX_TEXT, Lens, read_lens

TAG = ExifTags.Base
DETAILS = (
    TAG.FocalLength, TAG.FocalLengthIn35mmFilm, TAG.DigitalZoomRatio, TAG.FocalPlaneXResolution,
    TAG.FocalPlaneYResolution, TAG.FocalPlaneResolutionUnit, TAG.ExifImageWidth,
    TAG.ExifImageHeight,
)  # fmt: skip


@pytest.fixture
def tagged(tmp_path):
    """Saves a photo of 60x40 with tags."""

    def save(values, *, size=(60, 40), name="a.jpg"):
        exif = Image.Exif()
        for tag, value in values.items():
            (exif.get_ifd(ExifTags.IFD.Exif) if tag in DETAILS else exif)[tag] = value
        Image.new("RGB", size).save(tmp_path / name, exif=exif)
        return tmp_path / name

    return save


def test_what_a_photo_says_is_read(tagged):
    path = tagged({
        TAG.Make: "Acme ", TAG.Model: "Phone\n 3", TAG.FocalLength: 4.25,
        TAG.FocalLengthIn35mmFilm: 26, TAG.DigitalZoomRatio: 2.0, TAG.Orientation: 6,
    })  # fmt: skip
    assert read_lens(path) == Lens("Acme", "Phone 3", 4.25, 26.0, 2.0, 1)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_it_is_read_from_all_files_that_hold_it(tagged, name):
    path = tagged({TAG.Model: "Phone", TAG.Orientation: 8}, name=name)
    assert read_lens(path) == Lens(model="Phone", turn=3)


def test_a_png_is_not_decoded_to_find_nothing(tmp_path, monkeypatch):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda *_: 1 / 0)
    assert read_lens(tmp_path / "a.png") == Lens()


def test_the_equivalent_scales_with_the_diagonal(tagged):
    camera = read_lens(tagged({TAG.FocalLengthIn35mmFilm: 26})).camera(60, 40)
    assert (camera.width, camera.height) == (60, 40)
    # On 35 mm film 36x24, whose shape this photo has, the width is 36 mm.
    assert camera.fx == camera.fy == pytest.approx(26 / 36 * 60, rel=1e-3)
    assert (camera.cx, camera.cy) == (30, 20)


@pytest.mark.parametrize(("tag", "turn"), [(1, 0), (3, 2), (6, 1), (8, 3), (2, None), (99, None)])
def test_the_turn_is_that_of_the_orientation(tagged, tag, turn):
    assert read_lens(tagged({TAG.Orientation: tag})).turn == turn


def test_photos_that_say_nothing(tagged, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    (tmp_path / "text.jpg").write_text("text")
    for path in (tmp_path / "plain.png", tmp_path / "text.jpg", tmp_path / "gone", tagged({})):
        assert read_lens(path) == Lens()
    assert Lens().camera(60, 40) is None


@pytest.mark.parametrize("value", [0, 3, 60000])
def test_a_senseless_focal_length_says_nothing(tagged, value):
    lens = read_lens(tagged({TAG.FocalLengthIn35mmFilm: value, TAG.DigitalZoomRatio: 0.0}))
    assert lens == Lens()


SENSOR = {
    TAG.FocalLength: 18.0, TAG.FocalPlaneXResolution: 6000 / 22.3 * 25.4,
    TAG.FocalPlaneYResolution: 4000 / 14.9 * 25.4, TAG.FocalPlaneResolutionUnit: 2,
    TAG.ExifImageWidth: 6000, TAG.ExifImageHeight: 4000,
}  # fmt: skip


@pytest.mark.parametrize("size", [(60, 40), (40, 60)])
def test_the_size_of_the_sensor_gives_the_equivalent_where_it_is_missing(tagged, size):
    lens = read_lens(tagged(SENSOR, size=size))
    assert lens.equivalent_mm == pytest.approx(18 * 43.27 / math.hypot(22.3, 14.9), rel=1e-3)
    assert read_lens(tagged({**SENSOR, TAG.FocalLengthIn35mmFilm: 29})).equivalent_mm == 29


@pytest.mark.parametrize(
    "change",
    [
        {TAG.FocalPlaneYResolution: 900.0},  # pixels that are not square
        {TAG.ExifImageHeight: 3375},  # cropped since
        {TAG.FocalPlaneResolutionUnit: 4},  # a sensor of half a metre
        {TAG.FocalPlaneResolutionUnit: 77},
        {TAG.ExifImageWidth: 0},
    ],
)
def test_a_sensor_that_cannot_be_is_not_believed(tagged, change):
    assert read_lens(tagged({**SENSOR, **change})).equivalent_mm is None


def test_names_are_bounded_and_printable(tagged):
    lens = read_lens(tagged({TAG.Make: "\x00\x1b[31m" + "x" * 1000, TAG.Model: "a\x00b"}))
    assert lens.model == "a b" and len(lens.make) <= MAX_TEXT and lens.make.isprintable()
    with pytest.raises(ValueError, match="characters"):
        Lens("x" * 1000)


def test_damaged_exif_says_little_and_stops_nothing(tagged, tmp_path):
    content = tagged({TAG.Make: "Acme", TAG.FocalLengthIn35mmFilm: 26}).read_bytes()
    start = content.index(b"Exif\0\0") + 6
    for offset in range(4, 60):
        broken = bytearray(content)
        broken[start + offset] ^= 0xFF
        (tmp_path / "broken.jpg").write_bytes(broken)
        lens = read_lens(tmp_path / "broken.jpg")
        assert lens.equivalent_mm is None or 5 <= lens.equivalent_mm <= 2000
