"""Camera models against COLMAP's own, and back from pixels to rays."""

import numpy as np
import pytest

from reloc.errors import CameraError
from reloc.geometry import CAMERA_MODELS, Camera, same_aspect

# Distortions that real lenses have; within the image all models are one-to-one.
PARAMS = {
    "SIMPLE_PINHOLE": (520, 330, 235),
    "PINHOLE": (520, 540, 330, 235),
    "SIMPLE_RADIAL": (520, 330, 235, -0.08),
    "RADIAL": (520, 330, 235, -0.12, 0.03),
    "OPENCV": (520, 540, 330, 235, -0.2, 0.06, 0.002, -0.003),
    "OPENCV_FISHEYE": (300, 310, 330, 235, 0.02, -0.01, 0.003, -0.001),
    "FULL_OPENCV": (520, 540, 330, 235, -0.2, 0.06, 0.002, -0.003, 0.01, 0.03, -0.02, 0.004),
    "FOV": (400, 410, 330, 235, 0.8),
    "SIMPLE_RADIAL_FISHEYE": (300, 330, 235, 0.02),
    "RADIAL_FISHEYE": (300, 330, 235, 0.02, -0.005),
    "THIN_PRISM_FISHEYE": (
        (300, 310, 330, 235) + (0.02, -0.01, 0.001, -0.002, 0.003, -0.001, 0.002, -0.001)
    ),
}


def camera_of(model):
    return Camera(model, 640, 480, PARAMS[model])


def pixel_grid(camera, step=16):
    x, y = np.meshgrid(
        np.arange(0.5, camera.width + 0.1, step), np.arange(0.5, camera.height + 0.1, step)
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def test_all_models_are_tried_here():
    assert set(PARAMS) == set(CAMERA_MODELS)


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_points_fall_where_colmap_sees_them(model):
    pycolmap = pytest.importorskip("pycolmap")
    camera = camera_of(model)
    theirs = pycolmap.Camera(model=model, width=640, height=480, params=camera.params)
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-0.5, 0.5, (200, 2)), np.ones(200)] * rng.uniform(0.1, 50, (200, 1))
    points[0] = (0, 0, 2)  # the optical axis, where fisheye formulas divide by zero
    np.testing.assert_allclose(
        camera.project(points), np.asarray(theirs.img_from_cam(points)), atol=1e-6
    )


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_every_pixel_comes_back_from_its_ray(model):
    camera = camera_of(model)
    pixels = pixel_grid(camera)
    rays = camera.rays(pixels)
    assert np.isfinite(rays).all()
    np.testing.assert_allclose(camera.pixels(rays), pixels, atol=1e-5)
    depth = np.linspace(0.1, 90, len(rays))[:, None]
    np.testing.assert_allclose(
        camera.project(np.c_[rays, np.ones(len(rays))] * depth), pixels, atol=1e-5
    )


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_rays_are_those_that_made_the_pixels(model):
    camera = camera_of(model)
    rays = np.random.default_rng(1).uniform(-0.5, 0.5, (300, 2))
    np.testing.assert_allclose(camera.rays(camera.pixels(rays)), rays, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("OPENCV_FISHEYE", (0.0901, 0.0263, 0.0036, -0.0036)),
        ("OPENCV_FISHEYE", (0.0132, -0.0063, 0.0146, 0.0059)),
        ("OPENCV_FISHEYE", (0.0602, 0.0127, 0.0056, -0.0113)),
        ("SIMPLE_RADIAL_FISHEYE", (0.08,)),
        ("RADIAL_FISHEYE", (0.05, 0.02)),
        ("THIN_PRISM_FISHEYE", (0.06, 0.02, 0.001, -0.002, 0.003, 0.002, 0.002, -0.001)),
    ],
)
def test_wide_lenses_have_rays_up_to_their_edge(model, distortion):
    """Without a ring of NaN where a lens sees a point further out than an ideal fisheye."""
    pycolmap = pytest.importorskip("pycolmap")
    focals = (300.0,) if model.startswith(("SIMPLE", "RADIAL")) else (300.0, 305.0)
    camera = Camera(model, 1200, 1200, (*focals, 600, 600, *distortion))
    theirs = pycolmap.Camera(model=model, width=1200, height=1200, params=camera.params)
    edge = 83.0 if distortion[-1] == -0.0113 else 89.5  # there the polynomial folds back
    angle, turn = np.meshgrid(np.radians(np.linspace(60, edge, 119)), np.linspace(0, 6, 13))
    rays = (np.tan(angle) * [np.cos(turn), np.sin(turn)]).reshape(2, -1).T
    pixels = np.asarray(theirs.img_from_cam(np.c_[rays, np.ones(len(rays))]))
    found = camera.rays(pixels)
    np.testing.assert_allclose(camera.pixels(found), pixels, atol=1e-6)
    np.testing.assert_allclose(found, rays, rtol=1e-4)


def test_a_lens_that_bends_both_ways_has_rays_all_over():
    """A rational model without a fold, and without a ring of NaN where Newton's method is lost."""
    pycolmap = pytest.importorskip("pycolmap")
    params = (300, 300, 600, 600, -0.2, 0.06, 0.002, -0.003, 0.01, 0.03, -0.02, 0.004)
    camera = Camera("FULL_OPENCV", 1200, 1200, params)
    theirs = pycolmap.Camera(model="FULL_OPENCV", width=1200, height=1200, params=params)
    angle, turn = np.meshgrid(np.radians(np.linspace(1, 80, 159)), np.linspace(0, 6, 13))
    rays = (np.tan(angle) * [np.cos(turn), np.sin(turn)]).reshape(2, -1).T
    pixels = np.asarray(theirs.img_from_cam(np.c_[rays, np.ones(len(rays))]))
    np.testing.assert_allclose(camera.rays(pixels), rays, atol=1e-6)


def test_pixels_behind_the_fold_of_a_fisheye_have_no_ray():
    camera = Camera("OPENCV_FISHEYE", 1200, 1200, (300, 300, 600, 600, 0.06, 0.013, 0.0056, -0.02))
    # The polynomial turns at 76 degrees, 391.8 pixels from the centre.
    turns = np.linspace(0, 6, 50)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    assert np.isfinite(camera.rays(600 + 391 * circle)).all()
    assert np.isnan(camera.rays(600 + 392 * circle)).all()


def test_points_behind_the_camera_have_no_pixel():
    camera = camera_of("OPENCV")
    pixels = camera.project([(0.1, 0.1, 1), (0.1, 0.1, -1), (0.1, 0.1, 0), (0, 0, 0)])
    assert np.isfinite(pixels[0]).all()
    assert np.isnan(pixels[1:]).all()


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("SIMPLE_RADIAL", (-0.3,)),
        ("RADIAL", (-0.3, 0.02)),
        ("OPENCV", (-0.3, 0.02, 0.001, 0.001)),
    ],
)
def test_pixels_beyond_the_fold_of_a_lens_are_nan(model, distortion):
    """r (1 - 0.3 r^2 ...) grows up to a fold near r = 1.1 and falls: no ray shows further out.

    The polynomial has roots out there all the same, on the other side of the image and behind the
    fold.
    """
    head = (100, 100, 320, 240) if model == "OPENCV" else (100, 320, 240)
    camera = Camera(model, 640, 480, (*head, *distortion))
    k1, k2 = (*distortion, 0.0)[:2]
    radius = np.linspace(0, 3, 30_000)
    fold = radius[np.argmax(1 + 3 * k1 * radius**2 + 5 * k2 * radius**4 <= 0)]
    furthest = fold * (1 + k1 * fold**2 + k2 * fold**4)

    pixels = pixel_grid(camera, 8)
    rays = camera.rays(pixels)
    seen = np.all(np.isfinite(rays), axis=1)
    reach = np.linalg.norm((pixels - (320, 240)) / 100, axis=1)
    assert seen[reach < furthest - 0.02].all()
    assert not seen[reach > furthest + 0.02].any()
    assert np.linalg.norm(rays[seen], axis=1).max() < fold + 0.02


@pytest.mark.parametrize("distortion", [(-0.3, 0.0), (-0.3, 0.02), (0.1, 0.0), (0.0, 0.0)])
def test_a_camera_sees_the_rays_of_its_pixels_and_no_others(distortion):
    camera = Camera("RADIAL", 640, 480, (250.0, 320.0, 240.0, *distortion))
    x, y = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-3, 3, 121))
    rays = np.stack([x.ravel(), y.ravel()], axis=1)
    pixels = camera.pixels(rays)
    inside = ((pixels >= 0) & (pixels <= (640, 480))).all(axis=1)
    back = camera.rays(pixels)
    expected = inside & (np.abs(back - rays).max(axis=1) < 1e-6)
    np.testing.assert_array_equal(camera.sees(rays), expected)
    assert expected.any()
    if distortion[0] < 0:
        assert (inside & ~expected).any()
    assert not camera.sees([[np.nan, 0.0], [np.inf, 0.0]]).any()


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ((640, 480), (320, 240), True),
        ((1920, 1080), (853, 480), True),
        ((640, 480), (480, 640), False),
        ((640, 480), (640, 488), False),
    ],
)
def test_sizes_of_one_shape(a, b, same):
    assert same_aspect(a, b) == same_aspect(b, a) == same


def test_a_fisheye_has_no_ray_on_the_plane_beyond_a_right_angle():
    camera = Camera("OPENCV_FISHEYE", 640, 640, (150, 150, 320, 320, 0, 0, 0, 0))
    rays = camera.rays([(320 + 150 * a, 320) for a in (0.5, 1.2, 1.5, 1.6, 2.1)])
    np.testing.assert_allclose(rays[:3, 0], np.tan([0.5, 1.2, 1.5]), rtol=1e-5)
    assert np.isnan(rays[3:]).all()


@pytest.mark.parametrize("model", CAMERA_MODELS)
@pytest.mark.parametrize("size", [(320, 240), (1280, 960)])
def test_a_resized_camera_sees_the_same_at_scaled_pixels(model, size):
    camera = camera_of(model)
    small = camera.resized(*size)
    assert (small.model, small.width, small.height) == (model, *size)
    rays = np.random.default_rng(2).uniform(-0.4, 0.4, (50, 2))
    np.testing.assert_allclose(small.pixels(rays), camera.pixels(rays) * (size[0] / 640))


def test_two_focal_lengths_take_another_aspect_ratio_and_one_does_not():
    camera = camera_of("OPENCV").resized(320, 480)
    assert camera.fx / camera.fy == pytest.approx(520 / 540 / 2)
    with pytest.raises(CameraError, match="aspect ratio"):
        camera_of("SIMPLE_RADIAL").resized(320, 480)
    # Rounded sizes are still proportional.
    rounded = camera_of("SIMPLE_RADIAL").resized(213, 160)
    assert rounded.focal == pytest.approx(520 / 3, rel=2e-3)


def test_a_camera_tells_its_parts():
    camera = camera_of("RADIAL")
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (520, 520, 330, 235)
    assert camera.distortion == (-0.12, 0.03)
    two = camera_of("OPENCV")
    assert (two.fx, two.fy, two.cx, two.cy) == (520, 540, 330, 235)
    assert two.focal == pytest.approx(np.sqrt(520 * 540))
    np.testing.assert_array_equal(two.matrix(), [[520, 0, 330], [0, 540, 235], [0, 0, 1]])


def test_a_pinhole_fills_in_square_pixels_and_the_center():
    camera = Camera.pinhole(width=641, height=480, fx=500)
    assert camera.params == (500, 500, 320.5, 240)
    assert Camera.pinhole(width=8, height=6, fx=5, fy=6, cx=1, cy=2).params == (5, 6, 1, 2)


def test_cameras_compare_by_value():
    assert camera_of("OPENCV") == camera_of("OPENCV")
    assert len({camera_of("OPENCV"), camera_of("OPENCV"), camera_of("RADIAL")}) == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("FISHBOWL", 640, 480, (1, 2, 3)), "unknown camera model"),
        (("PINHOLE", 640, 480, (500, 320, 240)), "4 parameters, got 3"),
        (("PINHOLE", 640, 480, (500, np.nan, 320, 240)), "not finite"),
        (("PINHOLE", 640, 480, (0, 500, 320, 240)), "not positive"),
        (("PINHOLE", 640, 480, (500, -500, 320, 240)), "not positive"),
        (("PINHOLE", 0, 480, (500, 500, 320, 240)), "impossible image size"),
        (("PINHOLE", 640, 10**9, (500, 500, 320, 240)), "impossible image size"),
    ],
)
def test_impossible_cameras_are_refused_in_one_line(arguments, word):
    with pytest.raises(CameraError, match=word) as caught:
        Camera(*arguments)
    assert "\n" not in str(caught.value)
