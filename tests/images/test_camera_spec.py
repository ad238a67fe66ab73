"""Cameras as a user types them."""

import pytest

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.images.camera_spec import MAX_FILE_BYTES, parse_camera

PINHOLE = Camera.pinhole(width=640, height=480, fx=500, fy=510, cx=300, cy=250)
FULL = ("FULL_OPENCV", 640, 480, tuple(0.1234567890123456 / (n + 1) for n in range(12)))


def parsed(text):
    return parse_camera(str(text), width=640, height=480)


def test_a_focal_length_means_a_centered_pinhole():
    assert parsed("500.5") == Camera.pinhole(width=640, height=480, fx=500.5)
    assert parsed(" 5e2 ").cx == 320


@pytest.mark.parametrize("text", ["500,510,300,250", "500, 510, 300, 250", "500 510 300 250"])
def test_four_numbers(text):
    assert parsed(text) == PINHOLE


@pytest.mark.parametrize("text", ["{}", "7 {}"])
def test_lines_of_colmap_bring_their_own_size(text):
    line = "OPENCV 800 600 500 510 300 250 -0.1 0.02 0.001 0.002"
    camera = Camera("OPENCV", 800, 600, (500, 510, 300, 250, -0.1, 0.02, 0.001, 0.002))
    assert parsed(text.format(line)) == camera


def test_a_line_longer_than_any_file_name():
    model, width, height, params = FULL
    text = f"{model} {width} {height} {' '.join(f'{p:.30f}' for p in params)}"
    assert len(text) > 255
    assert parsed(text) == Camera(*FULL)


@pytest.mark.parametrize(
    "content",
    [
        "500 510 300 250",
        "# Camera list\n#   CAMERA_ID, MODEL, ...\n1 PINHOLE 640 480 500 510 300 250\n",
        "500 0 300\n0 510 250\n0 0 1\n",
        "\n500,\n510,\n300,\n250\n",
    ],
)
def test_files(tmp_path, content):
    path = tmp_path / "camera.txt"
    path.write_text(content)
    assert parsed(path) == PINHOLE


def test_a_file_of_several_cameras_is_ambiguous(tmp_path):
    path = tmp_path / "cameras.txt"
    path.write_text("1 PINHOLE 640 480 1 1 1 1\n2 PINHOLE 640 480 2 2 1 1\n")
    with pytest.raises(CameraError, match=r"holds 2 cameras; give one") as caught:
        parsed(path)
    assert str(path) in str(caught.value)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "video.bin"
    path.write_bytes(b"1 " * MAX_FILE_BYTES)
    with pytest.raises(CameraError, match="too large"):
        parsed(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wide",
        "gone.txt",
        "1,2",
        "1 2 3 4 5",
        "500 1 300 0 510 250 0 0 1",  # skew
        "500 0 300 0 510 250 0 0 2",
        "nan",
        "inf",
        "0",
        "-500",
        "500,510,nan,250",
        "PINHOLE",
        "PINHOLE 640 480",
        "PINHOLE 640 480 500",
        "PINHOLE 640.5 480 500 510 300 250",
        "PINHOLE 0 480 500 510 300 250",
        "PINHOLE 640 480 nan 510 300 250",
        "EYE 640 480 500 510 300 250",
        "a\0b",
        "x" * 5000,
    ],
)
def test_what_is_no_camera_is_refused_in_one_line(text):
    with pytest.raises(CameraError) as caught:
        parsed(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(CameraError) as caught:
        parsed(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("turn", [1, 3])
def test_of_a_picture_on_its_side_the_principal_point_may_be_the_upright_ones(turn):
    for text in ("600,610,235,330", "600 0 235\n0 610 330\n0 0 1"):
        camera = parse_camera(text, width=640, height=480, turn=turn)
        assert (camera.width, camera.height, camera.cx, camera.cy) == (480, 640, 235, 330)
    stored = parse_camera("600,610,330,235", width=640, height=480, turn=turn)
    assert (stored.width, stored.height) == (640, 480)
    assert parse_camera("600", width=640, height=480, turn=turn).width == 640
    assert parse_camera("600,610,235,330", width=640, height=480, turn=2).width == 640
