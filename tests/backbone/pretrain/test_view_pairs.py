"""Pairs of crops of one photo: their correspondences must be right to a fraction of a pixel."""

import cv2
import numpy as np
import pytest

from reloc.backbone.pretrain import view_pairs
from reloc.backbone.pretrain.view_pairs import (
    PhotoPairs,
    cell_centers,
    inside_image,
    random_homography,
    warped,
    with_blocks,
)
from reloc.errors import SceneError
from reloc.images.augment import apply_homography


def wavy(x, y):
    """A smooth picture that tells positions apart to a tenth of a pixel, 0..255."""
    return 128 + 55 * np.sin(x / 9 + 0.4 * np.sin(y / 31)) + 55 * np.cos(y / 11 + x / 43)


def picture(width, height):
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return wavy(x, y).round().astype(np.uint8)


def shown(image, pixels):
    """Values of an image at pixels (N, 2) with centres at +0.5."""
    at = (pixels - 0.5).astype(np.float32)
    return cv2.remap(image.astype(np.float32), at, None, cv2.INTER_LINEAR)[:, 0]


@pytest.fixture
def clean(monkeypatch):
    """Views are not taken again nor covered, so that their values can be compared."""
    monkeypatch.setattr(view_pairs, "retaken", lambda image, rng: image)
    monkeypatch.setattr(
        view_pairs, "with_blocks", lambda image, rng: (image, np.ones(image.shape, bool))
    )


def test_a_warp_shows_the_image_where_the_homography_says():
    image = picture(300, 200)
    rng = np.random.default_rng(0)
    for _ in range(10):
        homography = random_homography(
            rng, center=np.array([150.0, 100]), reach=60, size=128, tilt=0.2
        )
        crop = warped(image, homography, size=128)
        cells = cell_centers(128, 8)
        there = apply_homography(np.linalg.inv(homography).astype(np.float64), cells)
        error = shown(crop, cells) - wavy(*there.T)
        # The picture changes by up to 6 levels a pixel: half a pixel would show.
        assert np.sqrt((error**2).mean()) < 1.0


def test_a_homography_maps_the_window_to_the_crop():
    homography = random_homography(
        np.random.default_rng(0), center=np.array([50.0, 40]), reach=20, size=64, tilt=0.0
    )
    np.testing.assert_allclose(
        apply_homography(homography, np.array([[50.0, 40]])), [[32, 32]], atol=1e-4
    )
    corners = apply_homography(
        np.linalg.inv(homography).astype(np.float64), np.array([[0.0, 0], [64, 0], [64, 64]])
    )
    np.testing.assert_allclose(np.linalg.norm(np.diff(corners, axis=0), axis=1), 40, atol=1e-3)


@pytest.mark.parametrize("size", [(400, 260), (260, 400)])
def test_matching_pixels_show_the_same(clean, size):
    source = PhotoPairs([picture(*size)], size=160)
    errors, wrong = [], []
    for seed in range(25):
        pair = source.pair(seed)
        assert pair.first.shape == pair.second.shape == (160, 160)
        assert inside_image(pair.pixels_second, 160).all()
        if len(pair.pixels_first) < 32:
            continue
        first = shown(pair.first, pair.pixels_first)
        errors.append(np.abs(first - shown(pair.second, pair.pixels_second)).mean())
        wrong.append(np.abs(first - shown(pair.second, pair.pixels_second + 0.7)).mean())
    assert len(errors) > 12
    assert np.median(errors) < 1.5
    assert np.median(wrong) > 2 * np.median(errors)


def test_matches_start_at_cell_centers_and_differ_by_seed(clean):
    source = PhotoPairs([picture(300, 300)], size=96)
    cells = {tuple(cell) for cell in cell_centers(96, 8)}
    sets = [source.pair(seed) for seed in (0, 0, 1)]
    assert all(tuple(p) in cells for pair in sets for p in pair.pixels_first)
    np.testing.assert_array_equal(sets[0].first, sets[1].first)
    np.testing.assert_array_equal(sets[0].pixels_second, sets[1].pixels_second)
    assert not np.array_equal(sets[0].first, sets[2].first)


def test_the_same_number_gives_the_same_pair_with_noise_and_all():
    source = PhotoPairs([picture(200, 150)], size=64)
    for seed in range(8):
        one, two = source.pair(seed), source.pair(seed)
        cv2.randn(np.empty((9, 9), np.int16), 0, 3)  # OpenCV's own generator moves on
        np.testing.assert_array_equal(one.pixels_second, two.pixels_second)
        np.testing.assert_array_equal(one.first, two.first)
        np.testing.assert_array_equal(one.second, two.second)


def test_no_match_lies_under_a_block(monkeypatch):
    monkeypatch.setattr(view_pairs, "retaken", lambda image, rng: image)
    source = PhotoPairs([np.full((300, 300), 200, np.uint8)], size=96)
    covered = 0
    for seed in range(60):
        pair = source.pair(seed)
        changed = pair.second != 200
        covered += changed.any()
        at = pair.pixels_second.astype(int)
        assert not changed[at[:, 1], at[:, 0]].any()
    assert 5 < covered < 40


def test_blocks_cover_what_they_say():
    image = picture(96, 96)
    for seed in range(20):
        covered, visible = with_blocks(image, np.random.default_rng(seed))
        np.testing.assert_array_equal(covered[visible], image[visible])
        assert 12 * 12 <= (~visible).sum() <= 32 * 32


def test_photos_are_read_shrunk_and_bad_ones_left_out(tmp_path):
    cv2.imwrite(str(tmp_path / "big.png"), picture(900, 600))
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "deep" / "small.jpg"), picture(200, 130))
    cv2.imwrite(str(tmp_path / "tiny.png"), picture(200, 100))
    cv2.imwrite(str(tmp_path / "._big.png"), picture(900, 600))
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    (tmp_path / "notes.txt").write_text("no photo either")
    told = []
    source = PhotoPairs.from_folder(
        tmp_path, size=64, progress=lambda stage, done, total, **_: told.append((done, total))
    )
    assert sorted(photo.shape for photo in source.photos) == [(130, 200), (512, 768)]
    assert told[-1] == (4, 4)


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(SceneError, match="no readable photos"):
        PhotoPairs.from_folder(tmp_path, size=64)
