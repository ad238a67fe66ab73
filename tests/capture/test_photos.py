"""Measures of single photos, on pictures whose answer is known."""

import cv2
import numpy as np
import pytest

from reloc.capture.photos import BLURRED, blur, photo_advice, photo_facts


@pytest.fixture
def sharp() -> np.ndarray:
    rng = np.random.default_rng(1)
    image = np.full((300, 400), 120, np.uint8)
    for _ in range(120):
        x, y = (int(v) for v in rng.integers(0, 380, 2))
        cv2.rectangle(image, (x, y), (x + 25, y + 18), int(rng.integers(20, 230)), -1)
    return image


def test_blur_grows_with_blur_along_either_axis(sharp):
    values = [blur(sharp)] + [blur(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (1, 2, 4)]
    assert values == sorted(values)
    assert values[0] < 0.4
    assert values[-1] > BLURRED
    for size in ((15, 1), (1, 15)):
        assert blur(cv2.blur(sharp, size)) > BLURRED


def test_noise_and_brightness_do_not_count_as_blur(sharp):
    noisy = sharp + np.random.default_rng(0).normal(0, 6, sharp.shape)
    assert blur(np.clip(noisy, 0, 255).astype(np.uint8)) < 0.5
    assert blur((sharp // 3).astype(np.uint8)) == pytest.approx(blur(sharp), abs=0.05)


def test_a_photo_without_anything_is_plain_not_blurred():
    advice = photo_advice([photo_facts("a", np.full((60, 80), 128, np.uint8))])
    assert [a.kind for a in advice] == ["plain"]


def test_the_worst_is_named_first(sharp):
    dark = [photo_facts(str(k), (sharp * 0.02 * k).astype(np.uint8)) for k in (3, 1, 2)]
    (advice,) = photo_advice(dark + [photo_facts("good", sharp)])
    assert (advice.kind, advice.severity, advice.frames) == ("dark", "serious", ("1", "2", "3"))
