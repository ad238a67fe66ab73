"""Depth files to values along rays, and which unit they are in."""

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.geometry import Camera
from reloc.scenes.depth import DepthMap, guessed_unit, read_depth_map
from reloc.scenes.scene import Depth

CAMERA = Camera.pinhole(width=80, height=60, fx=70)


@pytest.fixture
def saved(tmp_path):
    def save(values, name="depth.png"):
        path = tmp_path / name
        assert cv2.imwrite(str(path), values)
        return path

    return save


def slanted(camera):
    """Depth (H, W) of the plane z = 2 + x / 4 in metres, that is z = 2 / (1 - ray / 4)."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    return (2 / (1 - rays[:, 0] / 4)).reshape(camera.height, camera.width)


@pytest.mark.parametrize("scale", [1, 2, 5], ids=str)
@pytest.mark.parametrize("unit", [0.001, 0.0002])
def test_depth_is_found_along_rays_at_any_resolution(saved, scale, unit):
    camera = CAMERA.resized(80 * scale, 60 * scale)
    path = saved(np.rint(slanted(camera) / unit).astype(np.uint16))
    rays = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 2))
    depths = read_depth_map(Depth(path, camera, unit)).along(rays)
    np.testing.assert_allclose(depths, 2 / (1 - rays[:, 0] / 4), rtol=0.02)


def test_floats_are_meters(saved):
    path = saved(slanted(CAMERA).astype(np.float32), "depth.tiff")
    depths = read_depth_map(Depth(path, CAMERA, 1.0)).along(np.zeros((1, 2)))
    np.testing.assert_allclose(depths, [2.0], rtol=0.02)


def test_holes_edges_and_what_lies_outside_have_no_depth():
    values = np.full((60, 80), 2.0, np.float32)
    values[:, 40:] = 3.0
    values[20:24, 10:14] = np.nan
    depth = DepthMap(values, CAMERA)
    pixels = np.array([[12, 22], [40, 30], [20, 40], [60, 40], [-5, 10], [79.5, 30], [10, 300]])
    found = depth.along(CAMERA.rays(pixels))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2, 3, np.nan, np.nan, np.nan])
    assert np.isnan(depth.along(np.array([[np.nan, np.nan]]))).all()


def test_rays_beyond_the_fold_of_the_lens_have_no_depth():
    """A polynomial brings far rays back into the image, where something else was measured."""
    camera = Camera("SIMPLE_RADIAL", 640, 480, (250.0, 320.0, 240.0, -0.3))
    depth = DepthMap(np.full((480, 640), 2.0, np.float32), camera)
    rays = np.array([[0.5, 0.0], [0.9, 0.2], [1.75, 0.0], [0.0, 1.75], [-1.2, 1.3]])
    assert ((camera.pixels(rays) > 10) & (camera.pixels(rays) < (630, 470))).all()
    np.testing.assert_array_equal(depth.along(rays), [2, 2, np.nan, np.nan, np.nan])


def test_values_that_mean_nothing_was_measured_are_holes(saved):
    values = np.full((60, 80), 2000, np.uint16)
    values[:, :20], values[:, 60:] = 0, 65535
    depth = read_depth_map(Depth(saved(values), CAMERA)).values
    assert np.isnan(depth[:, :20]).all() and np.isnan(depth[:, 60:]).all()
    np.testing.assert_array_equal(depth[:, 20:60], 2.0)


def test_depth_without_a_measurement_or_of_another_size_is_refused(saved):
    path = saved(np.zeros((60, 80), np.uint16))
    with pytest.raises(ImageError, match=r"depth\.png: not one pixel"):
        read_depth_map(Depth(path, CAMERA))
    path = saved(np.ones((30, 80), np.uint16))
    with pytest.raises(ImageError, match="80x30, its camera 80x60"):
        read_depth_map(Depth(path, CAMERA))


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.full((4, 4), 2300, np.uint16), 0.001),
        (np.full((4, 4), 2300.5, np.float32), 0.001),
        (np.full((4, 4), 2.3, np.float32), 1.0),
    ],
)
def test_the_unit_is_told_by_the_values(saved, values, unit):
    nothing = saved(np.zeros((4, 4), np.uint16), "nothing.png")
    suffix = "tiff" if values.dtype == np.float32 else "png"
    assert guessed_unit([nothing, saved(values, f"some.{suffix}")]) == unit


@pytest.mark.parametrize(
    "values",
    [
        np.full((4, 4), 2, np.uint16),
        np.full((4, 4), 120, np.uint16),
        np.full((4, 4), 40000, np.uint16),
        np.full((4, 4), 100, np.float32),
    ],
)
def test_values_that_fit_no_unit_are_refused(saved, values):
    suffix = "tiff" if values.dtype == np.float32 else "png"
    with pytest.raises(ImageError, match=r"cannot tell the unit .* --depth-unit"):
        guessed_unit([saved(values, f"some.{suffix}")])
    with pytest.raises(ImageError, match="not one pixel"):
        guessed_unit([saved(np.zeros((4, 4), np.uint16))])
