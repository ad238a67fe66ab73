"""Reading Cambridge Landmarks."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import inverted, quaternion_from_rotation
from reloc.scenes import open_scene

HEADER = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"


def _line(place, name, number):
    pose = place.pose(number)
    values = [*pose[:3, 3], *quaternion_from_rotation(inverted(pose)[:3, :3])]
    return f"{name} {' '.join(repr(float(v)) for v in values)}\n"


@pytest.fixture
def root(tmp_path, place):
    """Three mapping images and a query; the model names them .jpg where the lists say .png."""
    lines = [_line(place, f"seq1/{number:05d}.png", number) for number in range(4)]
    place.text(tmp_path / "dataset_train.txt", HEADER + "".join(lines[:3]))
    place.text(tmp_path / "dataset_test.txt", HEADER + lines[3])
    nvm = [f"seq1/{n:05d}.jpg\t{1600 + n} 1 0 0 0 0 0 0 -0.02 0\n" for n in (3, 1, 2, 0)]
    place.text(tmp_path / "reconstruction.nvm", "NVM_V3 \n\n4\n" + "".join(nvm) + "\n0\n")
    for number in range(4):
        place.image(tmp_path / f"seq1/{number:05d}.png", 1920, 1080)
    return tmp_path


def test_center_rotation_and_focal_reproject(root, place, seen_by):
    scene = open_scene(root)
    assert (scene.layout, scene.unit) == ("cambridge", "metre")
    assert (len(scene.mapping), len(scene.queries)) == (3, 1)
    for number, frame in enumerate((*scene.mapping, *scene.queries)):
        focal = 1600 + number
        expected = place.pinhole_pixels(number, focal, focal, 960, 540)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_smaller_images_get_a_smaller_camera(root, place):
    place.image(root / "seq1/00000.png", 960, 540)
    assert open_scene(root).mapping[0].camera.params == (800, 800, 480, 270)


def test_portrait_images_are_skipped(root, place):
    place.image(root / "seq1/00000.png", 1080, 1920)
    assert "turned" in open_scene(root).skipped[0].reason


def test_images_that_the_model_lacks_are_skipped(root, place):
    text = (root / "reconstruction.nvm").read_text()
    place.text(root / "reconstruction.nvm", text.replace("00001.jpg", "other.jpg"))
    assert "no focal length" in open_scene(root).skipped[0].reason


def test_missing_model_is_a_clear_error(root):
    (root / "reconstruction.nvm").unlink()
    with pytest.raises(SceneError, match=r"reconstruction\.nvm is missing"):
        open_scene(root)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spam",
        "NVM_V3\n",
        "NVM_V3\nspam\n",
        "NVM_V3\n9999999999\na.jpg 1\n",
        "NVM_V3\n1\na.jpg x\n",
    ],
)
def test_damaged_models_are_an_error(root, place, text):
    place.text(root / "reconstruction.nvm", text)
    with pytest.raises(SceneError, match=r"reconstruction\.nvm"):
        open_scene(root)


@pytest.mark.parametrize("focal", ["0", "-5", "nan", "inf"])
def test_impossible_focal_lengths_are_skipped(root, place, focal):
    text = (root / "reconstruction.nvm").read_text()
    place.text(root / "reconstruction.nvm", text.replace("1601", focal))
    assert [s.name for s in open_scene(root).skipped] == ["seq1/00001.png"]


@pytest.mark.parametrize("line", ["seq1/a.png 1 2 3", "seq1/a.png 1 2 3 x 0 0 0"])
def test_malformed_lists_name_the_line(root, place, line):
    place.text(root / "dataset_test.txt", HEADER + line)
    with pytest.raises(SceneError, match=r"dataset_test\.txt:4"):
        open_scene(root)


@pytest.mark.parametrize("pose", ["0 0 0 0 0 0 0", "nan 0 0 1 0 0 0", "0 0 0 nan 0 0 0"])
def test_bad_poses_are_skipped(root, place, pose):
    place.text(root / "dataset_test.txt", f"{HEADER}seq1/00003.png {pose}\n")
    scene = open_scene(root)
    assert not scene.queries and scene.skipped[0].name == "seq1/00003.png"


def test_paths_that_lead_out_are_skipped(root, place):
    place.text(root / "dataset_test.txt", f"{HEADER}../00003.png 0 0 0 1 0 0 0\n")
    assert "leads out" in open_scene(root).skipped[0].reason


@pytest.mark.parametrize("header", ["", "\n", HEADER[:27], HEADER, "one\ntwo\n", "\n\n\n"])
def test_lists_with_any_header_keep_all_their_frames(root, place, header):
    lines = "".join(_line(place, f"seq1/{number:05d}.png", number) for number in range(3))
    place.text(root / "dataset_train.txt", header + lines)
    scene = open_scene(root)
    assert [frame.name for frame in scene.mapping] == [f"seq1/{n:05d}.png" for n in range(3)]


def test_a_malformed_first_line_is_no_header(root, place):
    place.text(root / "dataset_train.txt", "seq1/00000.png 1 2 3\n")
    with pytest.raises(SceneError, match=r"dataset_train\.txt:1"):
        open_scene(root)
