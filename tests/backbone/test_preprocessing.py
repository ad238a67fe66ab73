"""Pictures that were badly taken, and what is left of their faults."""

import numpy as np
import pytest

from reloc.backbone.preprocessing import (
    LEAST_MEAN,
    MEAN_OF_CLIPPED,
    MOST_NOISE,
    denoise,
    noise_level,
    normalize_exposure,
    preprocess,
)


def noise(*, low, high, shape=(50, 61)):
    return np.random.default_rng(0).integers(low, high, shape, dtype=np.uint8)


def noisy(picture, deviation):
    rng = np.random.default_rng(0)
    values = picture + deviation * rng.standard_normal(picture.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_light_is_multiplied_where_there_is_too_little_or_too_much():
    dark = noise(low=0, high=20)
    assert normalize_exposure(dark).mean() == pytest.approx(LEAST_MEAN, rel=0.02)
    night = np.where(noise(low=0, high=100) < 5, 240, 4).astype(np.uint8)
    assert night.mean() < LEAST_MEAN / 2
    assert normalize_exposure(night).max() <= 250
    assert normalize_exposure(noise(low=150, high=256)).mean() == pytest.approx(
        MEAN_OF_CLIPPED, rel=0.02
    )
    for other in (noise(low=0, high=200), np.zeros((8, 8), np.uint8)):
        assert normalize_exposure(other) is other


@pytest.mark.parametrize("deviation", [2.0, 8.0, 20.0])
def test_noise_is_estimated_through_a_picture(picture, deviation):
    assert noise_level(noisy(picture, deviation)) == pytest.approx(deviation, rel=0.1, abs=0.5)


def test_much_noise_is_taken_away_and_little_is_left_alone(picture):
    grainy = noisy(picture, MOST_NOISE + 5)
    left = np.abs(denoise(grainy).astype(float) - picture).mean()
    assert left < 0.5 * np.abs(grainy.astype(float) - picture).mean()
    fine = noisy(picture, MOST_NOISE - 5)
    assert denoise(fine) is fine


def test_a_good_picture_is_not_touched(picture):
    assert preprocess(picture) is picture
