"""Corruptions change what they say, by how much they say, and the truth with it."""

from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at, transformed

NAMES = (
    "darkened", "overexposed", "colour-shifted", "motion blur", "noise", "JPEG", "resampled",
    "zoomed", "turned", "covered",
)  # fmt: skip
GEOMETRIC = ("resampled", "zoomed", "turned")
LENS = Camera("OPENCV", 320, 240, (260.0, 280.0, 150.0, 125.0, -0.1, 0.02, 0.002, -0.001))
POSE = look_at((1.0, 2.0, 0.5), (4.0, 3.0, 0.8))
# On a coarse grid in front of the camera, all within the middle of its view.
POINTS = transformed(
    POSE, [(x, y, 3.0 + 0.3 * x) for x in (-0.6, -0.2, 0.2, 0.6) for y in (-0.5, -0.1, 0.3)]
)


@pytest.fixture
def module(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("corruptions")


@pytest.fixture
def photo(module: ModuleType):
    """A picture with structure of all sizes."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(40, 200, (24, 32, 3), dtype=np.uint8), (320, 240))
    return module.Shot(image, LENS, POSE)


def dots(module: ModuleType):
    """White dots where the points are, on black."""
    image = np.zeros((240, 320, 3), np.float32)
    x, y = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    for pixel in LENS.project(transformed(inverted(POSE), POINTS)):
        distance = (x - pixel[0]) ** 2 + (y - pixel[1]) ** 2
        image += 255 * np.exp(-distance / (2 * 2.0**2))[..., None]
    return module.Shot(np.clip(image, 0, 255).astype(np.uint8), LENS, POSE)


def centroid(image: np.ndarray, pixel: np.ndarray, reach: int) -> np.ndarray:
    """Where the light near a pixel is, centres at +0.5."""
    x, y = (pixel - reach).astype(int)
    window = image[y : y + 2 * reach, x : x + 2 * reach].mean(axis=-1)
    rows, columns = np.mgrid[0 : window.shape[0], 0 : window.shape[1]] + 0.5
    return np.array([(columns * window).sum(), (rows * window).sum()]) / window.sum() + (x, y)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize(
    ("name", "strength"),
    [(n, s) for n in GEOMETRIC for s in (0.5, 1.41, 2)] + [("turned", s) for s in (20, 45)],
)
def test_points_reproject_to_where_they_are_seen(
    module: ModuleType, name: str, strength: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    changed = module.CORRUPTIONS[name].apply(dots(module), strength, rng)
    height, width = changed.image.shape[:2]
    assert (width, height) == (changed.camera.width, changed.camera.height)
    pixels = changed.camera.project(transformed(inverted(changed.world_from_cam), POINTS))
    reach = round(6 * min(changed.camera.focal / LENS.focal, 2))
    near = ((pixels > reach + 2) & (pixels < (width - reach - 2, height - reach - 2))).all(axis=1)
    assert near.sum() >= 4
    for pixel in pixels[near]:
        np.testing.assert_allclose(centroid(changed.image, pixel, reach), pixel, atol=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_truth_changes_only_with_the_geometry(module: ModuleType, photo, name: str) -> None:
    corruption = module.CORRUPTIONS[name]
    for strength in corruption.strengths:
        changed = corruption.apply(photo, strength, np.random.default_rng(1))
        assert changed.image.dtype == np.uint8
        assert not np.array_equal(changed.image, photo.image)
        same = changed.camera == LENS and np.array_equal(changed.world_from_cam, POSE)
        assert same == (name not in GEOMETRIC)
        if name != "resampled":
            assert changed.image.shape == photo.image.shape


@pytest.mark.parametrize("name", [n for n in NAMES if n != "JPEG"])
def test_no_strength_leaves_the_picture_alone(module: ModuleType, photo, name: str) -> None:
    corruption = module.CORRUPTIONS[name]
    rng = np.random.default_rng(0)
    changed = corruption.apply(photo, corruption.untouched, rng)
    np.testing.assert_allclose(changed.image.astype(int), photo.image, atol=1)
    np.testing.assert_allclose(changed.camera.params, LENS.params)
    np.testing.assert_allclose(changed.world_from_cam, POSE, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in GEOMETRIC])
def test_more_strength_does_more(module: ModuleType, photo, name: str) -> None:
    corruption = module.CORRUPTIONS[name]
    off = [
        np.abs(
            corruption.apply(photo, s, np.random.default_rng(2)).image.astype(float) - photo.image
        ).mean()
        for s in corruption.strengths
    ]
    # Of JPEG the strength is its quality.
    assert off == sorted(off, reverse=name == "JPEG")


def test_amounts(module: ModuleType) -> None:
    gray = module.Shot(np.full((240, 320, 3), 128, np.uint8), LENS, POSE)

    def of(name: str, strength: float) -> np.ndarray:
        return module.CORRUPTIONS[name].apply(gray, strength, np.random.default_rng(0)).image

    assert abs(float(of("darkened", 2.2)[0, 0, 0]) - 64) <= 1
    assert of("overexposed", 3).min() == 255
    red, green, blue = of("colour-shifted", 0.5)[0, 0].astype(float)
    assert green == 128
    assert max(red / blue, blue / red) == pytest.approx(np.e, rel=0.02)
    assert of("noise", 10).astype(float).std() == pytest.approx(10, rel=0.05)
    hidden = (of("covered", 0.4) != 128).any(axis=-1).mean()
    assert hidden == pytest.approx(0.4, abs=0.02)


def test_motion_blur_is_as_long_as_said(module: ModuleType) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[120, 160] = 255
    shot = module.Shot(image, LENS, POSE)
    smeared = module.CORRUPTIONS["motion blur"].apply(shot, 32, np.random.default_rng(0)).image
    y, x = np.nonzero(smeared[..., 0] > 0)
    assert np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(32 * 320 / 640, abs=2.5)
