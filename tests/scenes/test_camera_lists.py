"""Cameras of many photos in one file."""

import json

import pytest

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.scenes.camera_lists import read_camera_list

CAMERAS = "1 PINHOLE 640 480 500 500 320 240\n2 PINHOLE 640 480 600 600 320 240\n"
IMAGES = "1 1 0 0 0 0 0 0 1 a/1.jpg\n\n2 1 0 0 0 0 0 0 2 b/1.jpg\n\n"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "scene" / "sparse" / "0"
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(CAMERAS)
    (folder / "images.txt").write_text(IMAGES)
    return folder


def focal(path, name, width=640, height=480):
    cameras = read_camera_list(str(path))
    return cameras.of(name, width=width, height=height).focal


@pytest.mark.parametrize("place", ["", "cameras.txt", "../.."])
def test_a_model_by_the_names_of_its_images(model, place):
    assert focal(model / place, "images/a/1.jpg") == 500
    assert focal(model / place, "b/1.png") == 600
    assert focal(model / place, "/far/away/b/1.jpg") == 600


def test_what_stays_open_is_refused(model):
    for name in ("1.jpg", "c/1.jpg", "2.jpg"):
        with pytest.raises(CameraError, match=r"cameras.txt: 2 cameras for .*NAME CAMERA"):
            focal(model, name)


def test_without_names_cameras_go_by_shape(model):
    (model / "images.txt").unlink()
    (model / "cameras.txt").write_text(CAMERAS.replace("2 PINHOLE 640 480", "2 PINHOLE 480 640"))
    path = model / "cameras.txt"
    assert focal(path, "any.jpg", 320, 240) == 500
    assert focal(path, "any.jpg", 480, 640) == 600


def test_a_single_camera_is_left_to_who_reads_texts(model):
    (model / "cameras.txt").write_text("PINHOLE 640 480 500 500 320 240\n")
    assert read_camera_list(str(model / "cameras.txt")) is None


@pytest.mark.parametrize("place", ["transforms.json", ""])
def test_transforms(tmp_path, place):
    frames = [{"file_path": "./images/1", "fl_x": 700}, {"file_path": "./images/2"}]
    content = {"fl_x": 500, "w": 640, "h": 480, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert focal(tmp_path / place, "1.jpg") == 700
    assert focal(tmp_path / place, "images/2.jpg") == 500


def test_a_list_by_the_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# photos\n1.jpg 500\n2.jpg OPENCV 640 480 600 600 320 240 0 0 0 0\n3.jpg\n")
    assert focal(path, "x/1.jpg") == 500
    cameras = read_camera_list(str(path))
    assert cameras.of("2.jpg", width=640, height=480).model == "OPENCV"
    with pytest.raises(CameraError, match=r"list.txt: 3.jpg: '' describes no camera"):
        cameras.of("3.jpg", width=640, height=480)


@pytest.mark.parametrize("text", ["525", "gone.txt", "PINHOLE 1 1 1 1 1 1", "x" * 5000, "a\0b"])
def test_texts_are_no_lists(text):
    assert read_camera_list(text) is None


@pytest.mark.parametrize("content", ["500 510 300 250", "500 0 3\n0 510 2\n0 0 1\n", "", "\0\1"])
def test_files_of_one_camera_are_no_lists(tmp_path, content):
    path = tmp_path / "camera.txt"
    path.write_text(content)
    assert read_camera_list(str(path)) is None


@pytest.mark.parametrize("name", ["cameras.bin", "a.json"])
def test_a_damaged_file_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(CameraError, match=name):
        read_camera_list(str(tmp_path / name))


def test_a_folder_without_cameras_is_told(tmp_path):
    with pytest.raises(CameraError, match="holds no cameras; give a folder with a COLMAP model"):
        read_camera_list(str(tmp_path))


def test_of_photos_called_alike_the_longer_path_decides(model):
    (model / "images.txt").write_text(IMAGES.replace("b/1.jpg", "1.jpg"))
    assert focal(model, "a/1.jpg") == 500
    same = Camera.pinhole(width=640, height=480, fx=500)
    assert read_camera_list(str(model)).of("x/a/1.jpg", width=640, height=480) == same
