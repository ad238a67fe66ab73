"""Taking a picture again: other light, same geometry."""

import cv2
import numpy as np
import pytest

from reloc.images.photometric import blurred, jpeg_compressed, noised, relit, retaken

CHANGES = [relit, blurred, noised, jpeg_compressed, retaken]


@pytest.fixture
def image():
    noise = np.random.default_rng(0).integers(30, 220, (12, 16), dtype=np.uint8)
    return cv2.resize(noise, (128, 96), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("change", CHANGES)
def test_shape_and_type_stay_and_the_input_is_untouched(image, change):
    before = image.copy()
    for seed in range(12):
        out = change(image, np.random.default_rng(seed))
        assert out.shape == image.shape
        assert out.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("change", [relit, blurred, jpeg_compressed])
def test_the_generator_decides(image, change):
    one, two = (change(image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    others = [change(image, np.random.default_rng(seed)) for seed in range(6, 12)]
    assert any(not np.array_equal(one, other) for other in others)


def test_no_strength_is_no_change_of_light(image):
    assert (
        np.abs(relit(image, np.random.default_rng(0), strength=0.0).astype(int) - image).max() <= 1
    )


def test_noise_leaves_the_mean_and_grows_the_spread(image):
    flat = np.full((100, 100), 120, np.uint8)
    for seed in range(5):
        out = noised(flat, np.random.default_rng(seed)).astype(float)
        assert abs(out.mean() - 120) < 1
        assert 0.5 < out.std() < 13


def test_a_blur_does_not_move_the_picture():
    """Correspondences stay where they are: the centre of a dot is the same after any blur."""
    image = np.zeros((81, 81), np.float64)
    image[38:43, 38:43] = 250
    ticks = np.arange(81) + 0.5
    for seed in range(40):
        out = blurred(image.astype(np.uint8), np.random.default_rng(seed)).astype(float)
        center = (out.sum(axis=0) @ ticks, out.sum(axis=1) @ ticks) / out.sum()
        assert np.abs(center - 40.5).max() < 0.3, seed
        assert out.sum() == pytest.approx(image.sum(), rel=0.05)
