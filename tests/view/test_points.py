"""Points as a camera sees them: where they land, which hides which, and how large they are."""

import numpy as np
import pytest

from reloc.geometry import Camera, look_at, pose_from, rotation_from_vector, transformed
from reloc.view.points import BACKGROUND, MAX_DISC, MAX_PAINTED, render_points

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
RED, GREEN = (250, 10, 20), (10, 240, 30)
POSE = pose_from(rotation_from_vector((0.2, -0.4, 1.1)), (3, -1, 2))


def world(points_cam: list[tuple[float, float, float]]) -> np.ndarray:
    return transformed(POSE, np.array(points_cam))


def drawn(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Columns and rows (N, 2) of the pixels that have a colour."""
    return np.argwhere((image == color).all(axis=2))[:, ::-1]


def render(points: np.ndarray, *colors: tuple[int, int, int], radius: float = 1e-9) -> np.ndarray:
    return render_points(
        points, np.array(colors, np.uint8).reshape(-1, 3), CAMERA, POSE, radius=radius
    )


def test_a_point_lands_in_its_pixel() -> None:
    # x = 50 * 0.2 / 2 + 32 = 37, y = 50 * -0.1 / 2 + 24 = 21.5.
    image = render(world([(0.201, -0.1, 2.0)]), RED)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert drawn(image, RED).tolist() == [[37, 21]]
    assert len(drawn(image, BACKGROUND)) == 48 * 64 - 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_point_hides_the_farther_one(order: tuple[int, int]) -> None:
    points = world([(0, 0, 2.0), (0, 0, 4.0)])[list(order)]
    colors = [(RED, GREEN)[i] for i in order]
    image = render(points, *colors)
    assert len(drawn(image, RED)) == 1
    assert len(drawn(image, GREEN)) == 0


def test_near_small_disc_stands_before_far_wide_one() -> None:
    image = render(world([(0, 0, 2.0), (0.3, 0, 3.0)]), RED, GREEN, radius=0.4)
    assert len(drawn(image, RED)) > len(drawn(image, GREEN)) > 0
    assert (image[24, 32] == RED).all()


def test_discs_shrink_with_distance_and_are_bounded() -> None:
    sizes = [len(drawn(render(world([(0, 0, z)]), RED, radius=0.2), RED)) for z in (0.01, 2, 4, 50)]
    # Radii in pixels: bounded, 5, 2.5 and less than one.
    assert sizes[0] == pytest.approx(np.pi * (MAX_DISC + 0.4) ** 2, rel=0.1)
    assert sizes[1] == pytest.approx(np.pi * 5.4**2, rel=0.1)
    assert sizes[1] > sizes[2] > sizes[3] == 1


def test_what_cannot_be_seen_is_left_out() -> None:
    points = world([(0, 0, -2), (0, 0, 0), (5, 0, 1), (0, -5, 1)])
    points = np.concatenate([points, np.full((1, 3), np.nan), np.full((1, 3), np.inf)])
    assert (render(points, *[RED] * 6, radius=1.0) == BACKGROUND).all()
    assert (render(np.zeros((0, 3))) == BACKGROUND).all()


def test_points_off_to_the_side_do_not_fold_back_through_distortion() -> None:
    camera = Camera("RADIAL", 64, 48, (50, 32, 24, -0.3, 0.0))
    # At radius 2 the polynomial 1 - 0.3 r^2 has turned round, to -0.2 of the true radius.
    points = world([(2.0, 0.0, 1.0), (0.1, 0.0, 1.0)])
    image = render_points(points, np.array([RED, GREEN], np.uint8), camera, POSE, radius=1e-9)
    assert len(drawn(image, RED)) == 0
    assert len(drawn(image, GREEN)) == 1


@pytest.mark.slow
def test_too_much_to_paint_is_painted_smaller() -> None:
    count = MAX_PAINTED // 50
    points = np.random.default_rng(0).uniform(-1, 1, (count, 3))
    colors = np.full((count, 3), 200, np.uint8)
    eye = look_at((0, -3, 0), (0, 0, 0))
    image = render_points(points, colors, CAMERA, eye, radius=1.0)
    assert (image[20:28, 28:36] == 200).all()


def test_each_point_may_have_its_own_size() -> None:
    radii = np.array([0.2, 0.02])
    points = world([(-0.4, 0, 2), (0.4, 0, 2)])
    image = render_points(points, np.array([RED, GREEN], np.uint8), CAMERA, POSE, radius=radii)
    assert len(drawn(image, RED)) == pytest.approx(np.pi * 5.4**2, rel=0.1)
    assert len(drawn(image, GREEN)) == 1


def test_small_gaps_in_a_surface_are_closed() -> None:
    side = (np.arange(12) - 5.5) / 50
    points = world([(x, y, 1.0) for x in side for y in side if (x, y) != (side[5], side[6])])
    image = render(points, *[RED] * len(points))
    assert len(drawn(image, RED)) == 144
    # A gap of the same size at the rim, and the space around, stay open.
    assert len(drawn(image, BACKGROUND)) == 48 * 64 - 144
