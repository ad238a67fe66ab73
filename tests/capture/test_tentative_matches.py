"""Features of photos that are held against poses."""

import numpy as np

from reloc.capture.tentative_matches import SEARCHED_PIXELS, find_features
from reloc.geometry import Camera


def test_features_of_a_large_photo_are_where_things_are():
    """A photo shrunk before the search, with blobs between its pixels."""
    camera = Camera.pinhole(width=1200, height=900, fx=1000)
    assert camera.width * camera.height > 4 * SEARCHED_PIXELS
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(90, 1150, 90), np.arange(90, 850, 90))
    centers = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-5, 5, (x.size, 2))
    columns, rows = np.arange(1200) + 0.5, np.arange(900) + 0.5
    image = np.full((900, 1200), 60.0)
    for cx, cy in centers:
        across = np.exp(-((columns - cx) ** 2) / (2 * 8**2))
        image += 120 * np.exp(-((rows - cy) ** 2) / (2 * 8**2))[:, None] * across
    found = find_features(image.clip(0, 255).astype(np.uint8), camera)
    off = camera.project(np.c_[found.rays, np.ones(len(found.rays))])[:, None] - centers
    nearest = off[np.arange(len(off)), np.linalg.norm(off, axis=2).argmin(axis=1)]
    near = np.linalg.norm(nearest, axis=1) < 5
    assert near.sum() >= len(centers)
    # A quarter of a pixel of the small photo is 0.6 of this one.
    assert np.abs(np.median(nearest[near], axis=0)).max() < 0.15
    blank = find_features(np.full((90, 120), 80, np.uint8), camera.resized(120, 90))
    assert (blank.rays.shape, blank.descriptors.shape) == ((0, 2), (0, 128))
