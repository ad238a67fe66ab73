"""Views of a frame: rays must be those of the very pixels that the cells look at."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.geometry import Camera, inverted, transformed
from reloc.mapping.views import prepare_view
from reloc.stereo import InverseDepth

# An off-centre, distorted camera with two focal lengths, landscape and portrait.
LANDSCAPE = Camera("OPENCV", 400, 300, (330, 350, 215, 140, -0.18, 0.05, 0.002, -0.001))
PORTRAIT = Camera("OPENCV", 300, 440, (350, 330, 140, 235, -0.12, 0.03, -0.001, 0.002))


@pytest.mark.parametrize("camera", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
@pytest.mark.parametrize(
    ("kind", "seed"), [("plain", 0), ("augmented", 0), ("augmented", 1), ("augmented", 2)]
)
@pytest.mark.parametrize("short_side", [220, 300, 420])
def test_rays_of_cells_lead_to_the_points_that_the_view_shows(
    frame_of, dots, camera, kind, seed, short_side
):
    frame = frame_of(camera)
    prepared = prepare_view(frame, 0, kind=kind, short_side=short_side, seed=seed, stride=8)
    height, width = prepared.image.shape
    rows, columns = -(-height // 8), -(-width // 8)
    assert prepared.rays.shape == (rows * columns, 2)
    rays = prepared.rays.reshape(rows, columns, 2)
    usable = prepared.usable.reshape(rows, columns)
    points = transformed(inverted(frame.world_from_cam), dots(camera, frame.world_from_cam))
    image = prepared.image.astype(float)
    reach = int(14 * (prepared.focal / camera.focal))
    errors = []
    for ray in points[:, :2] / points[:, 2:]:
        # The cell whose ray is nearest to the point's, and from there the dot in the view.
        distance = np.where(usable, np.linalg.norm(rays - ray, axis=2), np.inf)
        i, j = np.unravel_index(np.argmin(distance), distance.shape)
        x, y = int(8 * j + 4), int(8 * i + 4)
        if not (reach + 8 <= x < width - reach - 8 and reach + 8 <= y < height - reach - 8):
            continue
        for _ in range(2):  # once more, around the dot itself
            patch = image[y - reach : y + reach + 1, x - reach : x + reach + 1]
            weight = (patch - np.median(patch)).clip(min=0)
            weight[weight < 0.15 * weight.max()] = 0
            ticks = np.arange(-reach, reach + 1) + 0.5
            dot = np.array([weight.sum(axis=0) @ ticks, weight.sum(axis=1) @ ticks])
            dot = dot / weight.sum() + (x, y)
            x, y = dot.astype(int)
        # The ray there, between the centres of cells.
        cell = (dot - 4) / 8
        (j, i), (u, v) = cell.astype(int), cell % 1
        top = (1 - u) * rays[i, j] + u * rays[i, j + 1]
        bottom = (1 - u) * rays[i + 1, j] + u * rays[i + 1, j + 1]
        errors.append(((1 - v) * top + v * bottom - ray) * prepared.focal)
    assert len(errors) >= 8
    # Half a pixel off is the usual mistake.
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1
    assert np.linalg.norm(errors, axis=1).max() < 0.5


def test_cells_beyond_the_image_are_not_used(frame_of):
    prepared = prepare_view(
        frame_of(LANDSCAPE), 0, kind="augmented", short_side=300, seed=1, stride=8
    )
    outside = ((prepared.pixels < 0) | (prepared.pixels > (400, 300))).any(axis=1)
    assert outside.any(), "a turned view must show corners"
    assert not prepared.usable[outside].any()
    assert prepared.usable[~outside].all()
    assert np.isfinite(prepared.rays).all()


def test_a_view_depends_on_its_seed_and_frame_alone(frame_of):
    frame = frame_of(LANDSCAPE)

    def view(index, seed):
        return prepare_view(frame, index, kind="augmented", short_side=200, seed=seed, stride=8)

    np.testing.assert_array_equal(view(1, 2).image, view(1, 2).image)
    np.testing.assert_array_equal(view(1, 2).rays, view(1, 2).rays)
    assert not np.array_equal(view(1, 2).pixels, view(2, 2).pixels)
    assert not np.array_equal(view(1, 2).pixels, view(1, 3).pixels)


def test_an_image_of_another_size_than_its_camera_is_refused(frame_of):
    frame = replace(frame_of(LANDSCAPE), camera=PORTRAIT)
    with pytest.raises(ImageError, match=r"400x300.*300x440"):
        prepare_view(frame, 0, kind="plain", short_side=480, stride=8)


@pytest.mark.parametrize("seed", range(3))
def test_a_novel_view_of_a_flat_wall_shows_the_pixels_that_it_says(frame_of, dots, seed):
    """A wall parallel to the image: its inverse depth is the same everywhere."""
    frame = frame_of(LANDSCAPE)
    wall = InverseDepth(np.full((19, 25), 0.4, np.float32), np.full(2, 8.0), np.full(2, 16.0))
    prepared = prepare_view(
        frame, 0, kind="novel", short_side=300, stride=8, seed=seed, depth=2.5, inverse_depth=wall
    )
    photo = cv2.imread(str(frame.image), cv2.IMREAD_GRAYSCALE).astype(float)
    height, width = prepared.image.shape
    columns = -(-width // 8)
    row, column = np.divmod(np.flatnonzero(prepared.usable), columns)
    inner = (row * 8 + 8 <= height) & (column * 8 + 8 <= width)
    row, column = row[inner], column[inner]
    x, y = (prepared.pixels[prepared.usable][inner] - 0.5).astype(np.float32).T
    expected = cv2.remap(photo, x[None], y[None], cv2.INTER_LINEAR)[0]
    image = prepared.image.astype(float)
    top, left = row * 8 + 3, column * 8 + 3
    seen = sum(image[top + a, left + b] for a in (0, 1) for b in (0, 1)) / 4
    assert np.corrcoef(expected, seen)[0, 1] > 0.97
    assert (prepared.inverse_depths == np.float32(0.4)).all()
    clipped = prepared.pixels[prepared.usable]
    np.testing.assert_allclose(prepared.rays[prepared.usable], LANDSCAPE.rays(clipped), atol=1e-6)


def test_depth_that_is_known_goes_with_every_kind_of_view(frame_of):
    values = np.full((19, 25), 0.4, np.float32)
    values[:, 12:] = np.nan
    known = InverseDepth(values, np.full(2, 8.0), np.full(2, 16.0))
    for kind in ("plain", "augmented"):
        prepared = prepare_view(
            frame_of(LANDSCAPE), 0, kind=kind, short_side=300, stride=8, inverse_depth=known
        )
        left, right = prepared.pixels[:, 0] < 180, prepared.pixels[:, 0] > 220
        assert (prepared.inverse_depths[left & prepared.usable] == np.float32(0.4)).all()
        assert (prepared.inverse_depths[right & prepared.usable] == 0).all()


def test_without_depth_nothing_is_known(frame_of):
    prepared = prepare_view(frame_of(LANDSCAPE), 0, kind="plain", short_side=300, stride=8)
    assert not prepared.inverse_depths.any()
