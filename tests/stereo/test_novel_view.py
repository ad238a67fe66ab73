"""Views drawn from beside a photo look like what stands there."""

from importlib import import_module

import numpy as np
import pytest

from reloc.geometry import inverted, transformed
from reloc.stereo import InverseDepth, novel_view


def true_inverse_depth(corner, camera, pose):
    row, column = np.mgrid[8 : camera.height : 16, 8 : camera.width : 16]
    pixels = np.stack([column, row], axis=-1).reshape(-1, 2).astype(float)
    _, depths = corner.points(camera, pose, pixels)
    values = (1 / depths).astype(np.float32).reshape(row.shape)
    return InverseDepth(values, np.full(2, 8.0), np.full(2, 16.0))


def drawn(corner, camera, seed, **options):
    pose = corner.pose(0.0)
    photo = corner.photo(camera, pose)
    view = novel_view(
        photo,
        camera,
        true_inverse_depth(corner, camera, pose),
        np.random.default_rng(seed),
        depth=corner.depth,
        short_side=min(photo.shape),
        stride=corner.stride,
        **({"light": 0.0} | options),
    )
    return photo, view


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("which", ["landscape", "portrait"])
def test_cells_show_what_their_pixel_of_the_photo_shows(corner, which, seed):
    """The texture at the surface point that a cell's original pixel sees is what it was drawn."""
    camera = getattr(corner, which)
    _, view = drawn(corner, camera, seed)
    assert view.usable.mean() > 0.3
    points, _ = corner.points(camera, corner.pose(0.0), view.pixels[view.usable])
    texture = 127 + 100 * corner.texture(points, channels=6).mean(axis=1)
    height, width = view.image.shape
    grid = (-(-height // corner.stride), -(-width // corner.stride))
    row, column = np.divmod(np.flatnonzero(view.usable), grid[1])
    # The middle of a cell of even size lies between four pixels.
    top = np.clip(row * corner.stride + 3, 0, height - 2)
    left = np.clip(column * corner.stride + 3, 0, width - 2)
    image = view.image.astype(float)
    seen = sum(image[top + a, left + b] for a in (0, 1) for b in (0, 1)) / 4
    inner = (row * corner.stride + 8 <= height) & (column * corner.stride + 8 <= width)
    error = np.abs(seen - texture)[inner]
    assert np.median(error) < 2.5
    assert np.quantile(error, 0.9) < 10


def test_parallax_is_that_of_a_camera_which_moved(corner):
    """Without turn or zoom, the pixels that cells look at fit one pose of a camera beside."""
    import poselib

    camera = corner.portrait
    _, view = drawn(corner, camera, 5, max_zoom=1.0 + 1e-9)
    height, width = view.image.shape
    grid = (-(-height // corner.stride), -(-width // corner.stride))
    row, column = np.mgrid[0 : grid[0], 0 : grid[1]]
    cells = (np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5) * corner.stride
    pose = corner.pose(0.0)
    points, _ = corner.points(camera, pose, view.pixels)
    focal = camera.focal * view.scale
    model = {
        "model": "SIMPLE_PINHOLE",
        "width": width,
        "height": height,
        "params": [focal, width / 2, height / 2],
    }
    found, info = poselib.estimate_absolute_pose(
        cells[view.usable], points[view.usable], model, {"max_reproj_error": 3.0}, {}
    )
    assert np.mean(info["inliers"]) > 0.95
    center = -found.R.T @ found.t
    moved = np.linalg.norm(center - pose[:3, 3])
    assert 0.02 < moved < 0.25 * corner.depth


@pytest.mark.parametrize("moved", [(0, 0, 0), (0.12, -0.06, 0.05)])
@pytest.mark.parametrize("which", ["landscape", "portrait"])
def test_cells_look_at_what_a_camera_beside_sees_in_their_middle(corner, which, moved, monkeypatch):
    camera, pose = getattr(corner, which), corner.pose(0.0)
    old_from_new = np.eye(4)
    old_from_new[:3, 3] = corner.depth * np.array(moved)
    # The package has the function under the name of its module.
    module = import_module("reloc.stereo.novel_view")
    monkeypatch.setattr(module, "_motion", lambda *_: old_from_new)
    _, view = drawn(corner, camera, 0)
    height, width = view.image.shape
    grid = (-(-height // corner.stride), -(-width // corner.stride))
    row, column = np.divmod(np.flatnonzero(view.usable), grid[1])
    middles = (np.stack([column, row], axis=1) + 0.5) * corner.stride
    points, _ = corner.points(camera, pose, view.pixels[view.usable])
    seen = transformed(inverted(pose @ old_from_new), points)
    pixels = camera.focal * view.scale * seen[:, :2] / seen[:, 2:] + (width / 2, height / 2)
    off = pixels - middles
    # Depths of cells are those of somewhere in them.
    assert np.abs(np.median(off, axis=0)).max() < 0.3
    assert np.quantile(np.linalg.norm(off, axis=1), 0.9) < 1.5
    assert view.usable.mean() > 0.5


@pytest.mark.slow
def test_the_same_seed_draws_the_same(corner):
    first, second, other = (drawn(corner, corner.landscape, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, second.image)
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_unknown_depth_makes_cells_unusable_but_still_draws(corner):
    camera = corner.landscape
    photo = corner.photo(camera, corner.pose(0.0))
    unknown = InverseDepth(np.full((19, 25), np.nan, np.float32), np.full(2, 8.0), np.full(2, 16.0))
    view = novel_view(
        photo,
        camera,
        unknown,
        np.random.default_rng(0),
        depth=corner.depth,
        short_side=300,
        stride=8,
    )
    assert not view.usable.any()
    assert view.image.std() > 1
