"""Quarter turns of pictures and of every camera model, against the pixels themselves."""

import numpy as np
import pytest

from reloc.errors import CameraError
from reloc.geometry import CAMERA_MODELS, Camera, turns
from reloc.geometry.poses import rotation_from_vector
from reloc.geometry.turns import original_from_turned, turned_camera, turned_size
from reloc.images.augment import apply_homography

FOCALS = {
    name: (330.0,) if "SIMPLE" in name or name in ("RADIAL", "RADIAL_FISHEYE") else (330.0, 350.0)
    for name in CAMERA_MODELS
}
DISTORTION = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": (-0.1,),
    "RADIAL": (-0.1, 0.02),
    "OPENCV": (-0.1, 0.02, 0.004, -0.003),
    "OPENCV_FISHEYE": (-0.03, 0.01, 0.002, -0.001),
    "FULL_OPENCV": (-0.1, 0.02, 0.004, -0.003, 0.01, 0.02, -0.01, 0.003),
    "FOV": (0.6,),
    "SIMPLE_RADIAL_FISHEYE": (-0.03,),
    "RADIAL_FISHEYE": (-0.03, 0.01),
    "THIN_PRISM_FISHEYE": (-0.03, 0.01, 0.004, -0.003, 0.002, 0.001, 0.005, -0.002),
}


@pytest.mark.parametrize("turn", range(4))
def test_a_picture_turns_as_numpy_turns_it(turn):
    picture = np.arange(12).reshape(3, 4)
    turned = np.rot90(picture, -turn)
    height, width = turned.shape
    assert (width, height) == turned_size(4, 3, turn)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    before = apply_homography(original_from_turned(4, 3, turn), pixels)
    columns, rows = np.floor(before).astype(int).T
    np.testing.assert_array_equal(picture[rows, columns], turned.ravel())


@pytest.mark.parametrize("turn", range(-1, 4))
@pytest.mark.parametrize("model", DISTORTION)
def test_a_turned_camera_projects_to_the_turned_pixels(model, turn):
    camera = Camera(model, 400, 300, (*FOCALS[model], 215, 140, *DISTORTION[model]))
    turned = turned_camera(camera, turn)
    assert (turned.width, turned.height) == turned_size(400, 300, turn)
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-0.5, 0.5, (50, 2)), np.ones(50)] * rng.uniform(1, 9, (50, 1))
    about_the_axis = rotation_from_vector([0, 0, turn * np.pi / 2])
    seen = turned.project(points @ about_the_axis.T)
    before = apply_homography(original_from_turned(400, 300, turn), seen)
    np.testing.assert_allclose(before, camera.project(points), atol=1e-9)
    back = turned_camera(turned, -turn)
    assert back.model == camera.model
    np.testing.assert_allclose(back.params, camera.params, atol=1e-9)


def test_a_model_whose_turn_is_not_known_is_refused(monkeypatch):
    monkeypatch.setattr(turns, "_RADIAL", set())
    with pytest.raises(CameraError, match="cannot be turned"):
        turned_camera(Camera.pinhole(width=4, height=3, fx=5), 1)
    assert turned_camera(Camera.pinhole(width=4, height=3, fx=5), 0).width == 4
