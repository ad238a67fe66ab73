"""Matches between training views are true in space and in the pictures."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, transformed
from reloc.synthetic.photo import Conditions
from reloc.synthetic.render import render
from reloc.synthetic.rooms import make_room
from reloc.synthetic.training_views import correspondences, render_training_views

pytestmark = pytest.mark.usefixtures("coarse")


@pytest.fixture(scope="module")
def views(coarse):
    return render_training_views(0, views=6, size=96)


def points(views, number, pixels):
    """World points at pixel centres (N, 2), integers, of a view."""
    fx, fy, cx, cy = views.intrinsics[number]
    z = views.depths[number][pixels[:, 1], pixels[:, 0]][:, None]
    rays = (pixels + 0.5 - (cx, cy)) / (fx, fy)
    return transformed(views.world_from_cam[number], np.concatenate([rays * z, z], axis=1))


def test_views_are_whole_and_repeatable(views):
    assert views.images.shape == (6, 96, 96) and views.images.dtype == np.uint8
    assert views.depths.shape == (6, 96, 96) and views.depths.dtype == np.float32
    assert len(views.pairs) == len(views.overlaps) > 3
    assert (views.overlaps >= 0.2).all() and (views.overlaps <= 0.9).all()
    again = render_training_views(0, views=6, size=96)
    assert (again.images == views.images).all() and (again.pairs == views.pairs).all()


def test_matched_pixels_show_the_same_point_of_space(views):
    i, j = views.pairs[0]
    warp, valid = correspondences(views, i, j)
    rows, columns = np.nonzero(valid)
    here = np.stack([columns, rows], axis=1)
    a, b = points(views, i, here), points(views, j, np.floor(warp[valid]).astype(int))
    # The nearest pixel of the other view is up to half a pixel off, about 1.5 cm here.
    assert np.quantile(np.linalg.norm(a - b, axis=1), 0.9) < 0.06
    # Exactly: the point projects to where the warp says.
    fx, fy, cx, cy = views.intrinsics[j]
    camera = Camera.pinhole(width=96, height=96, fx=fx, fy=fy, cx=cx, cy=cy)
    in_j = transformed(np.linalg.inv(views.world_from_cam[j]), a)
    np.testing.assert_allclose(camera.project(in_j), warp[valid], atol=1e-2)


def test_there_and_back_again(views):
    i, j = views.pairs[0]
    there, valid = correspondences(views, i, j)
    back, also = correspondences(views, j, i)
    rows, columns = np.nonzero(valid)
    target = np.floor(there[valid]).astype(int)
    round_trip = back[target[:, 1], target[:, 0]]
    good = also[target[:, 1], target[:, 0]]
    assert good.mean() > 0.8
    moved = np.linalg.norm(round_trip - np.stack([columns, rows], 1) - 0.5, axis=1)[good]
    assert np.median(moved) < 1.0


def test_matched_pixels_have_the_same_color_under_the_same_light(views, bake_once):
    baked = bake_once(make_room(0))
    pictures = []
    i, j = views.pairs[0]
    for number in (i, j):
        fx, fy, cx, cy = views.intrinsics[number]
        camera = Camera.pinhole(width=96, height=96, fx=fx, fy=fy, cx=cx, cy=cy)
        shot = render(baked, camera, views.world_from_cam[number], conditions=Conditions())
        assert (shot.depth == views.depths[number]).all()
        pictures.append(cv2.cvtColor(shot.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32))
    warp, valid = correspondences(views, i, j)
    seen = cv2.remap(pictures[1], warp - np.float32(0.5), None, cv2.INTER_LINEAR)
    right = np.corrcoef(pictures[0][valid], seen[valid])[0, 1]
    shifted = cv2.remap(pictures[1], warp + np.float32(6.0), None, cv2.INTER_LINEAR)
    wrong = np.corrcoef(pictures[0][valid], shifted[valid])[0, 1]
    assert right > 0.85 and right > wrong + 0.2


def test_what_is_hidden_is_not_matched(views):
    i, j = views.pairs[0]
    # Something right in front of the second camera hides all of it.
    hidden = views.depths.copy()
    hidden[j] = 0.1
    assert not correspondences(replace(views, depths=hidden), i, j)[1].any()
