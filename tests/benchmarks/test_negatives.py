"""Negatives are what they say, and the same for the same seed."""

import numpy as np
import pytest

from reloc.geometry import Camera, look_at
from reloc.images.files import write_image
from reloc.scenes import Frame

LENS = Camera("OPENCV", 160, 120, (130.0, 140.0, 70.0, 62.0, -0.1, 0.02, 0.002, -0.001))


@pytest.fixture
def module(script):
    return script("negatives")


@pytest.fixture
def photos(module, tmp_path):
    def frames(seed):
        rng = np.random.default_rng(seed)
        path = tmp_path / f"{seed}.png"
        write_image(path, rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        return [Frame(path.name, path, LENS, look_at((seed, 0, 0), (seed, 5, 0)))]

    return module.Photos(*map(frames, range(5)))


@pytest.mark.slow
def test_every_kind_is_made_of_its_photos(module, photos):
    assert module.possible_kinds(photos) == tuple(module.KINDS)
    assert "sibling" not in module.possible_kinds(module.Photos(own=photos.own))
    true = {"rearranged", "beyond", "own", "focal"}
    for kind in module.KINDS:
        made = module.sample(kind, photos, seed=[1, 2])
        again = module.sample(kind, photos, seed=[1, 2])
        assert made.kind == kind
        assert made.image.shape == (120, 160, 3) and made.image.dtype == np.uint8
        assert (made.image == again.image).all() and made.camera == again.camera
        assert (made.camera.width, made.camera.height) == (160, 120)
        assert made.can_be_right == (kind in true)
    moved = module.sample("rearranged", photos, seed=[0])
    np.testing.assert_allclose(moved.world_from_cam[:3, 3], (3, 0, 0))


@pytest.mark.parametrize("name", ["black", "letters", "surface", "clouds", "stripes"])
def test_pictures_of_nowhere_fill_the_frame(module, name):
    image = module.NOWHERE[name](np.random.default_rng(0), 60, 80)
    assert image.shape == (60, 80, 3)
    assert np.isfinite(image).all()
    assert (image.std() == 0) == (name == "black")


def test_a_mirror_keeps_the_rays_of_the_mirrored_pixels(module, photos):
    shot = module.shot_of(photos.own[0])
    image, camera = module.mirrored(shot)
    assert (image[:, 0] == shot.image[:, -1]).all()
    ideal = Camera.pinhole(width=160, height=120, fx=100.0, cx=60.0)
    other = module.mirrored(module.Shot(shot.image, ideal, shot.world_from_cam))[1]
    ray = ideal.rays(np.array([[20.0, 33.0]]))[0]
    np.testing.assert_allclose(other.rays(np.array([[140.0, 33.0]]))[0], ray * (-1, 1))
    assert camera.cx == 160 - 70


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_poster_takes_its_share_and_leaves_the_rest(module, share):
    picture = np.full((90, 120, 3), 255, np.uint8)
    backdrop = np.zeros((120, 160, 3), np.uint8)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        image = module.posted(picture, backdrop, rng, share=share, framed=False, glare=0.0)
        assert (image > 127).mean() == pytest.approx(share, rel=0.25)


def test_a_wrong_focal_length_leaves_all_else(module):
    told = module.with_focal(LENS, 1.1)
    assert told.params[:2] == pytest.approx((143.0, 154.0))
    assert told.params[2:] == LENS.params[2:]


def test_upper_bounds_are_exact(script):
    upper_bound = script("negatives_run").upper_bound
    assert upper_bound(0, 10_000) == pytest.approx(1 - 0.05 ** (1 / 10_000), rel=1e-6)
    # Tables of Clopper and Pearson: 2 of 50.
    assert upper_bound(2, 50) == pytest.approx(0.1206, abs=2e-4)
    assert upper_bound(3, 3) == 1.0
