"""What is wrong with a picture is told from the picture."""

import cv2
import numpy as np
import pytest

from reloc.localize.reasons import (
    TEXTS,
    Reason,
    fault_of_picture,
    reason_of_doubt,
    sees_anything,
    sharpness,
)


@pytest.fixture(scope="module")
def picture():
    """Natural contrast: amplitudes fall with the frequency."""
    rng = np.random.default_rng(0)
    y, x = np.fft.fftfreq(240)[:, None], np.fft.rfftfreq(320)[None]
    spectrum = np.exp(2j * np.pi * rng.random((240, 161))) / np.maximum(np.hypot(x, y), 1 / 320)
    noise = np.fft.irfft2(spectrum, s=(240, 320))
    return np.clip(110 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)


def shaken(picture, length):
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    return cv2.filter2D(picture, -1, kernel)


def test_a_good_picture_has_no_fault(picture):
    assert fault_of_picture(picture) is None
    assert fault_of_picture(cv2.resize(picture, (640, 480))[::2, ::2]) is None
    assert sees_anything(picture)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda p: (p * 0.2).astype(np.uint8), Reason.TOO_DARK),
        (lambda p: np.minimum(p.astype(np.int64) * 4, 255).astype(np.uint8), Reason.OVEREXPOSED),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 5), Reason.TOO_BLURRED),
        (lambda p: shaken(p, 25), Reason.TOO_BLURRED),
        (lambda p: shaken(p.T, 25).T, Reason.TOO_BLURRED),
        (lambda p: np.full_like(p, 120), Reason.BARE),
        (lambda p: np.full_like(p, 255), Reason.OVEREXPOSED),
        (lambda p: np.zeros_like(p), Reason.TOO_DARK),
        (lambda p: np.tile(np.linspace(80, 180, 320).astype(np.uint8), (240, 1)), Reason.BARE),
    ],
)
def test_faults_are_told_apart(picture, change, kind):
    assert fault_of_picture(change(picture)) is kind


def test_blur_lowers_sharpness_at_any_size_and_light(picture):
    assert sharpness(picture) > sharpness(shaken(picture, 9)) > sharpness(shaken(picture, 25))
    assert sharpness(picture // 3) == pytest.approx(sharpness(picture), abs=0.02)


@pytest.mark.parametrize(
    ("certainty", "likeness", "reliability", "kind"),
    [
        (0.1, 0.8, 1.0, Reason.NOT_THIS_PLACE),
        (0.1, np.nan, 1.0, Reason.NOT_THIS_PLACE),
        (0.45, 0.8, 1.0, Reason.NOT_PRECISE),
        (0.1, 0.95, 1.0, Reason.NOT_PRECISE),
        (0.4, 0.95, 0.3, Reason.POOR_MAP),
    ],
)
def test_the_place_is_doubted_by_what_it_looks_like(
    picture, certainty, likeness, reliability, kind
):
    told = reason_of_doubt(picture, certainty=certainty, likeness=likeness, reliability=reliability)
    assert told is kind
    dark = reason_of_doubt(
        picture // 8, certainty=certainty, likeness=likeness, reliability=reliability
    )
    assert dark is Reason.TOO_DARK


def test_texts_are_one_line_each():
    assert set(TEXTS) | {Reason.BAD_INPUT, Reason.INTRINSICS} == set(Reason)
    assert all("\n" not in text and text[0].islower() for text in TEXTS.values())
    assert Reason("too_dark") is Reason.TOO_DARK
