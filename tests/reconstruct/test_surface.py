"""Dense points between the cells of a depth view."""

import numpy as np

from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.images.augment import cell_pixels
from reloc.reconstruct.depth_views import DepthView
from reloc.reconstruct.surface import SUBDIVISION, surface_points

CAMERA = Camera.pinhole(width=160, height=120, fx=140)
POSE = look_at((1.0, -4.0, 0.5), (0.2, 0.0, 0.1))


def view(depth: np.ndarray) -> DepthView:
    rays = CAMERA.rays(cell_pixels(120, 160, stride=8)).reshape(15, 20, 2)
    return DepthView(CAMERA, POSE, 8.0, rays, depth)


def wall() -> np.ndarray:
    """Depth of the plane y = 0."""
    rays = CAMERA.rays(cell_pixels(120, 160, stride=8))
    world = np.c_[rays, np.ones(len(rays))] @ POSE[:3, :3].T
    return (-POSE[1, 3] / world[:, 1]).reshape(15, 20)


def photo() -> np.ndarray:
    """Red grows with the column, green with the row."""
    image = np.zeros((120, 160, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(160), np.arange(120)[:, None]
    return image


def test_points_lie_on_the_plane_and_face_the_camera() -> None:
    points, _, normals, widths = surface_points(view(wall()), photo())
    assert len(points) == 14 * 19 * SUBDIVISION**2
    assert np.abs(points[:, 1]).max() < 1e-9
    np.testing.assert_allclose(normals, np.broadcast_to([0, -1, 0], normals.shape), atol=1e-5)
    assert widths.min() > 0


def test_colors_are_those_of_the_photo_where_the_point_is_seen() -> None:
    points, colors, _, _ = surface_points(view(wall()), photo())
    pixels = CAMERA.project(transformed(inverted(POSE), points))
    np.testing.assert_allclose(colors[:, :2], pixels, atol=1.5)


def test_a_step_in_depth_is_not_bridged() -> None:
    depth = np.full((15, 20), 2.0)
    depth[:, 10:] = 3.0
    points, *_ = surface_points(view(depth), photo())
    z = transformed(inverted(POSE), points)[:, 2]
    assert set(np.round(z, 6)) == {2.0, 3.0}
    assert len(points) == 14 * 18 * SUBDIVISION**2


def test_small_islands_are_left_out() -> None:
    depth = np.full((15, 20), np.nan)
    depth[3:6, 3:6] = 2.0
    points, colors, normals, widths = surface_points(view(depth), photo())
    assert (len(points), len(colors), len(normals), len(widths)) == (0, 0, 0, 0)
