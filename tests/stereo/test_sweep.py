"""The plane sweep finds how far known surfaces are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.stereo import plane_sweep


def compared(corner, camera, other_camera=None):
    """Swept and true inverse depths (N,) of a view with three others beside it."""
    reference = corner.view(camera, corner.pose(0.0))
    others = [
        corner.view(other_camera or camera, corner.pose(*at))
        for at in ((0.45,), (-0.45, 0.1), (0.1, 0.3, 0.1))
    ]
    swept = plane_sweep(reference, others, depth=corner.depth)
    height, width = swept.values.shape
    row, column = np.mgrid[0:height, 0:width]
    pixels = swept.first + np.stack([column, row], axis=-1).reshape(-1, 2) * swept.step
    _, depths = corner.points(camera, corner.pose(0.0), pixels)
    return swept.values.ravel(), 1 / depths


@pytest.mark.parametrize("cameras", ["landscape", "portrait", "mixed"])
def test_it_finds_the_depth_of_walls_and_floors(corner, cameras):
    first = corner.portrait if cameras == "portrait" else corner.landscape
    swept, true = compared(corner, first, corner.portrait if cameras == "mixed" else None)
    known = np.isfinite(swept)
    assert known.mean() > 0.6
    error = np.abs(swept[known] / true[known] - 1)
    assert np.median(error) < 0.02
    assert np.mean(error < 0.1) > 0.95


def test_the_unit_of_length_does_not_matter(corner):
    camera = corner.landscape
    views = [corner.view(camera, corner.pose(x)) for x in (0.0, 0.4, -0.4)]
    far = []
    for view in views:
        world_from_cam = view.world_from_cam.copy()
        world_from_cam[:3, 3] *= 100
        far.append(replace(view, world_from_cam=world_from_cam))
    near = plane_sweep(views[0], views[1:], depth=corner.depth).values
    scaled = plane_sweep(far[0], far[1:], depth=100 * corner.depth).values
    np.testing.assert_allclose(scaled * 100, near, rtol=1e-4)


def test_views_of_different_things_agree_on_nothing(corner):
    camera = corner.landscape
    views = [corner.view(camera, corner.pose(x)) for x in (0.0, 0.4, -0.4)]
    generator = torch.Generator().manual_seed(0)
    foreign = [
        replace(
            view,
            features=torch.nn.functional.normalize(
                torch.randn(view.features.shape, generator=generator), dim=1
            ),
        )
        for view in views
    ]
    values = plane_sweep(foreign[0], foreign[1:], depth=corner.depth).values
    assert np.isfinite(values).mean() < 0.05


def test_a_plain_surface_has_no_depth(corner):
    camera = corner.landscape
    views = [corner.view(camera, corner.pose(x)) for x in (0.0, 0.4)]
    plain = [replace(v, features=torch.ones_like(v.features) / 8) for v in views]
    assert np.isnan(plane_sweep(plain[0], plain[1:], depth=corner.depth).values).all()


def test_without_others_nothing_is_known(corner):
    view = corner.view(corner.landscape, corner.pose(0.0))
    assert np.isnan(plane_sweep(view, [], depth=corner.depth).values).all()
