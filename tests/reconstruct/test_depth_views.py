"""Depth images of a map: laid onto rays, smoothed, and confirmed by other views."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import Camera, look_at, transformed
from reloc.images.augment import cell_pixels
from reloc.localize.place import Correspondences
from reloc.reconstruct.depth_views import DepthView, confirmed, depth_view, smoothed

CAMERA = Camera.pinhole(width=160, height=120, fx=140)
STRIDE = 8


def seen_wall(pose: np.ndarray, *, error_px: float = 0.0) -> Correspondences:
    """What a map says of the wall y = 0, each point moved sideways by some pixels."""
    pixels = cell_pixels(CAMERA.height, CAMERA.width, stride=STRIDE)
    rays = CAMERA.rays(pixels)
    flat = np.c_[rays, np.ones(len(rays))]
    world = flat @ pose[:3, :3].T
    depth = -pose[1, 3] / world[:, 1]
    points = flat * depth[:, None]
    points[:, 0] += error_px * depth / CAMERA.focal
    return Correspondences(transformed(pose, points), rays, pixels, CAMERA.focal)


def wall_view(eye: tuple[float, float, float], *, error_px: float = 0.0) -> DepthView:
    pose = look_at(eye, (0.2, 0.0, 0.1))
    seen = seen_wall(pose, error_px=error_px)
    return depth_view(seen, CAMERA, pose, stride=STRIDE, max_error=4.0)


EYES = [(x, -4.0, 0.3) for x in (-0.6, -0.2, 0.2, 0.6)]


def test_depth_is_that_of_the_surface_and_noise_across_the_ray_is_dropped() -> None:
    view = wall_view((1.0, -4.0, 0.5), error_px=3.0)
    assert view.depth.shape == (15, 20)
    assert view.step == STRIDE
    points = view.points()
    assert np.abs(points[..., 1]).max() < 0.05
    pixels = CAMERA.project(transformed(np.linalg.inv(view.world_from_cam), points.reshape(-1, 3)))
    np.testing.assert_allclose(pixels, cell_pixels(120, 160, stride=STRIDE), atol=1e-6)


def test_points_that_reproject_badly_have_no_depth() -> None:
    assert np.isnan(wall_view((1.0, -4.0, 0.5), error_px=5.0).depth).all()


def test_smoothing_keeps_a_plane_and_brings_stray_cells_back_to_it() -> None:
    true = wall_view((2.0, -3.0, 0.5)).depth
    spoilt = true.copy()
    spoilt[7, 9] *= 1.4
    spoilt[3, 4] = np.nan
    fixed = smoothed(replace(wall_view((2.0, -3.0, 0.5)), depth=spoilt)).depth
    np.testing.assert_allclose(fixed, true, rtol=0.01)


def test_smoothing_drops_lonely_cells_and_keeps_steps() -> None:
    view = wall_view((0.0, -4.0, 0.3))
    lonely = np.full_like(view.depth, np.nan)
    lonely[5:7, 5:7] = 2.0
    assert np.isnan(smoothed(replace(view, depth=lonely)).depth).all()
    step = np.full_like(view.depth, 2.0)
    step[:, 10:] = 3.0
    np.testing.assert_allclose(smoothed(replace(view, depth=step)).depth, step, rtol=0.02)


def test_what_others_see_too_stays() -> None:
    views = [wall_view(eye) for eye in EYES]
    for view in confirmed(views):
        assert np.isfinite(view.depth[4:11, 6:14]).all()


def test_what_floats_before_a_surface_goes() -> None:
    views = [wall_view(eye) for eye in EYES]
    depth = views[0].depth.copy()
    depth[6:8, 9:11] *= 0.7
    first = confirmed([replace(views[0], depth=depth), *views[1:]])[0].depth
    assert np.isnan(first[6:8, 9:11]).all()
    assert np.isfinite(first[9:11, 9:11]).all()


def test_a_single_view_needs_no_confirmation() -> None:
    view = wall_view(EYES[0])
    np.testing.assert_array_equal(confirmed([view])[0].depth, view.depth)


@pytest.mark.parametrize("views", [[], [wall_view(EYES[0], error_px=9.0)] * 2])
def test_nothing_seen_is_no_error(views: list[DepthView]) -> None:
    assert all(np.isnan(view.depth).all() for view in confirmed([smoothed(v) for v in views]))
