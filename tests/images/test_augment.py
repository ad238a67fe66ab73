"""Views of an image: what a view shows at p is what the original shows at original_pixels(p)."""

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.images.augment import apply_homography, augmented_view, cell_pixels, plain_view

LANDSCAPE, PORTRAIT, ODD = (640, 480), (480, 853), (411, 307)


def dotted(width, height, *, spacing=45.3, sigma=3.0):
    """A dark image with bright dots at known subpixel positions (N, 2)."""
    x, y = np.meshgrid(
        np.arange(spacing * 0.7, width - spacing / 2, spacing),
        np.arange(spacing * 0.6, height - spacing / 2, spacing * 1.1),
    )
    dots = np.stack([x.ravel(), y.ravel()], axis=1)
    dots += np.random.default_rng(0).uniform(-3, 3, dots.shape)
    at_x, at_y = np.arange(width) + 0.5, np.arange(height) + 0.5
    image = np.zeros((height, width))
    for u, v in dots:
        image += np.outer(
            np.exp(-0.5 * ((at_y - v) / sigma) ** 2), np.exp(-0.5 * ((at_x - u) / sigma) ** 2)
        )
    return np.round(20 + 200 * image).clip(0, 255).astype(np.uint8), dots


def dots_seen(view, dots, *, spacing=45.3):
    """Positions of the dots as found in a view, and those positions in the original."""
    expected = apply_homography(np.linalg.inv(view.original_from_view), dots)
    reach = int(0.38 * spacing * view.scale)
    height, width = view.image.shape
    found, truth = [], []
    for (u, v), dot in zip(expected, dots, strict=True):
        x, y = int(u), int(v)
        if not (reach <= x < width - reach and reach <= y < height - reach):
            continue
        patch = view.image[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(float)
        weight = patch - np.median(np.r_[patch[0], patch[-1], patch[:, 0], patch[:, -1]])
        weight[weight < 0.1 * weight.max()] = 0
        ticks = np.arange(-reach, reach + 1) + 0.5
        center = np.array([weight.sum(axis=0) @ ticks, weight.sum(axis=1) @ ticks]) / weight.sum()
        found.append(center + (x, y))
        truth.append(dot)
    assert len(found) >= 12, "too few dots in the view for a test"
    return np.array(found), np.array(truth)


def assert_exact(view, dots):
    found, truth = dots_seen(view, dots)
    error = (view.original_pixels(found) - truth) * view.scale
    # Half a pixel off, the usual mistake, would be five times the tolerance.
    # (OpenCV itself rounds positions to 1/32 pixel of the original.)
    assert np.abs(error.mean(axis=0)).max() < 0.1
    assert np.abs(error).max() < 0.3


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, ODD])
@pytest.mark.parametrize("short_side", [240, 480, 700])
def test_a_plain_view_maps_back_exactly(size, short_side):
    image, dots = dotted(*size)
    view = plain_view(image, short_side=short_side)
    assert min(view.image.shape) == short_side
    assert view.image.shape[0] / view.image.shape[1] == pytest.approx(size[1] / size[0], rel=5e-3)
    assert view.scale == pytest.approx(short_side / min(size))
    assert_exact(view, dots)


def test_a_plain_view_of_the_right_size_is_the_image():
    image, _ = dotted(*LANDSCAPE)
    view = plain_view(image, short_side=480)
    np.testing.assert_array_equal(view.image, image)
    np.testing.assert_array_equal(view.original_pixels(np.array([[3.5, 7.25]])), [[3.5, 7.25]])
    assert view.scale == 1


@pytest.mark.slow
@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, ODD])
@pytest.mark.parametrize("short_side", [240, 480, 700])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_augmented_view_maps_back_exactly(size, short_side, seed):
    image, dots = dotted(*size)
    view = augmented_view(image, np.random.default_rng(seed), short_side=short_side)
    assert_exact(view, dots)


def test_gradients_keep_their_values():
    """What the view shows at p equals the original at original_pixels(p), level for level."""
    x = np.tile(np.linspace(10, 240, 461), (461, 1))
    for levels in (x, x.T):
        image = levels.round().astype(np.uint8)
        for seed in range(4):
            rng = np.random.default_rng(seed)
            view = augmented_view(image, rng, short_side=480, light=0.0)
            cells = cell_pixels(*view.image.shape, stride=8)
            there = view.original_pixels(cells)
            inside = ((there > 12) & (there < 449)).all(axis=1)
            inside &= (cells < np.array(view.image.shape[::-1]) - 1).all(axis=1)
            maps = [p[inside].astype(np.float32) - np.float32(0.5) for p in (cells, there)]
            shown, original = (
                cv2.remap(np.asarray(i, np.float32), m, None, cv2.INTER_LINEAR)[:, 0]
                for i, m in zip((view.image, image), maps, strict=True)
            )
            assert inside.sum() > 500
            assert abs((shown - original).mean()) < 0.08
            assert np.abs(shown - original).max() < 1.5


def test_augmentation_stays_in_its_bounds_and_uses_them():
    image, _ = dotted(160, 120)
    rng = np.random.default_rng(0)
    zooms, angles = [], []
    for _ in range(200):
        view = augmented_view(image, rng, short_side=60, max_tilt=0.0)
        linear = np.linalg.inv(view.original_from_view)[:2, :2]
        zooms.append(view.scale / 0.5)
        angles.append(np.degrees(np.arctan2(linear[1, 0], linear[0, 0])))
        np.testing.assert_allclose(linear @ linear.T, view.scale**2 * np.eye(2), atol=0.02)
        assert min(view.image.shape) == round(60 * zooms[-1])
    assert 2 / 3 <= min(zooms) < 0.7
    assert 1.45 < max(zooms) <= 1.5
    assert -15.01 <= min(angles) < -13.5
    assert 13.5 < max(angles) <= 15.01


def test_light_changes_within_its_bounds():
    image = np.full((48, 64), 150, np.uint8)
    rng = np.random.default_rng(0)
    levels = [augmented_view(image, rng, short_side=48).image.mean() for _ in range(100)]
    assert 150 - 0.2 * 48 - 25.5 - 1 <= min(levels) < 140
    assert 160 < max(levels) <= 150 + 0.2 * 48 + 25.5 + 1
    dark = augmented_view(image, np.random.default_rng(0), short_side=48, light=0.0)
    assert (dark.image == 150).all()


def test_the_same_generator_gives_the_same_view():
    image, _ = dotted(*LANDSCAPE)
    one, two, other = (
        augmented_view(image, np.random.default_rng(seed), short_side=480) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.original_from_view, two.original_from_view)
    assert not np.array_equal(one.original_from_view, other.original_from_view)


@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 25), (23, 9)])
def test_cells_look_at_their_centers_row_by_row(height, width):
    pixels = cell_pixels(height, width, stride=8)
    rows, columns = -(-height // 8), -(-width // 8)
    expected = [(8 * j + 4, 8 * i + 4) for i in range(rows) for j in range(columns)]
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 200), (200, 9)])
def test_tiny_images_make_views(shape):
    image = np.full(shape, 80, np.uint8)
    rng = np.random.default_rng(0)
    for view in (plain_view(image, short_side=24), augmented_view(image, rng, short_side=24)):
        assert min(view.image.shape) >= 8
        assert np.isfinite(view.original_from_view).all()


@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1)])
def test_an_image_that_would_make_an_enormous_view_is_refused(shape):
    image = np.zeros(shape, np.uint8)
    with pytest.raises(ImageError, match="long and thin"):
        plain_view(image, short_side=480)
    with pytest.raises(ImageError, match="long and thin"):
        augmented_view(image, np.random.default_rng(0), short_side=480)


@pytest.mark.parametrize(("shape", "short_side"), [((64, 10_000), 480), ((480, 30_000), 480)])
def test_a_view_never_costs_gigabytes(shape, short_side):
    """Neither is one blown up, nor is one that has the right short side already let through."""
    with pytest.raises(ImageError, match="megapixels"):
        plain_view(np.zeros(shape, np.uint8), short_side=short_side)
    wide = plain_view(np.zeros((100, 1000), np.uint8), short_side=480)
    assert wide.image.shape == (480, 4800)
