import cv2
import numpy as np
import pytest

from reloc.landmarks.keypoints import NORM, detect_keypoints, unit_descriptors


def blobs(width, height, *, deviation, gap, seed=0):
    """Bright blobs at random places (N, 2) between pixels, on gray."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(gap, width - gap, gap), np.arange(gap, height - gap, gap))
    centers = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-2, 2, (x.size, 2))
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    image = np.full((height, width), 60.0)
    for cx, cy in centers:
        across = np.exp(-((columns - cx) ** 2) / (2 * deviation**2))
        image += 120 * np.exp(-((rows - cy) ** 2) / (2 * deviation**2))[:, None] * across
    return np.rint(image).astype(np.uint8), centers


def offsets(found, centers):
    """From the nearest center to each keypoint (K, 2)."""
    off = found.pixels[:, None].astype(float) - centers
    return off[np.arange(len(off)), np.linalg.norm(off, axis=2).argmin(axis=1)]


@pytest.mark.parametrize(("deviation", "gap"), [(1.2, 24), (3.0, 40)])
def test_keypoints_are_where_things_are(deviation, gap):
    image, centers = blobs(320, 240, deviation=deviation, gap=gap)
    found = detect_keypoints(image)
    assert len(found) >= len(centers)
    off = offsets(found, centers)
    near = off[np.linalg.norm(off, axis=1) < 2]
    assert len(near) >= len(centers)
    assert np.abs(np.median(near, axis=0)).max() < 0.03


def test_keypoints_of_a_large_image_are_in_its_pixels():
    image, centers = blobs(1300, 1000, deviation=6.0, gap=90)
    found = detect_keypoints(image)
    off = offsets(found, centers)
    near = np.linalg.norm(off, axis=1) < 4
    assert near.sum() >= len(centers)
    assert np.abs(np.median(off[near], axis=0)).max() < 0.1
    # A blob is found at its own scale: SIFT's diameter is twice the deviation of its filter.
    assert 10 < np.median(found.sizes[near]) < 24


def test_the_strongest_keypoints_come_first_and_no_more_than_asked_for():
    image, _ = blobs(320, 240, deviation=1.5, gap=24)
    every = detect_keypoints(image)
    some = detect_keypoints(image, most=10)
    assert len(some) == 10 < len(every)
    assert {tuple(p) for p in some.pixels.tolist()} <= {tuple(p) for p in every.pixels.tolist()}


def test_descriptors_do_not_depend_on_light_and_turn():
    rng = np.random.default_rng(3)
    image = cv2.GaussianBlur(rng.integers(0, 256, (160, 160), np.uint8), (0, 0), 2.5)
    image = cv2.normalize(image, None, 20, 120, cv2.NORM_MINMAX)
    one = detect_keypoints(image)
    brighter = detect_keypoints(cv2.convertScaleAbs(image, alpha=1.4, beta=20))
    turned = detect_keypoints(np.ascontiguousarray(np.rot90(image)))
    x, y = turned.pixels.T
    back = np.stack([160 - y, x], axis=1)
    for other, pixels in ((brighter, brighter.pixels), (turned, back)):
        cosines = unit_descriptors(one.descriptors) @ unit_descriptors(other.descriptors).T
        far = np.linalg.norm(one.pixels - pixels[cosines.argmax(axis=1)], axis=1)
        assert np.mean(far < 0.5) > 0.8
    assert NORM * 0.98 < np.median(np.linalg.norm(one.descriptors.astype(float), axis=1)) < 520


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (2000, 2), (480, 640)])
def test_an_image_of_nothing_has_no_keypoints(shape):
    found = detect_keypoints(np.full(shape, 90, np.uint8))
    assert len(found) == 0
    assert found.descriptors.shape == (0, 128)
