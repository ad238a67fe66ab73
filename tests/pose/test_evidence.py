"""What an image says of a pose."""

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.pose.evidence import cell_evidence, enclosed, occupied

CAMERA = Camera.pinhole(width=640, height=480, fx=500.0)


def cells(errors, short_side=480):
    errors = np.asarray(errors, np.float64)
    side = np.arange(len(errors))
    pixels = np.stack([side % 80 * 8 + 4, side // 80 * 8 + 4], axis=1).astype(np.float64)
    return cell_evidence(errors, pixels, camera=CAMERA, short_side=short_side)


def test_shares_count_cells_that_agree():
    found = cells([1.0] * 1200 + [5.0] * 1200 + [50.0] * 1200 + [np.inf] * 1200)
    assert found.share == 0.5
    # The upper half of the image.
    assert found.spread == 0.5


def test_smaller_views_take_closer_agreement():
    errors = [5.0] * 4 + [500.0] * 3
    assert cells(errors).share == pytest.approx(4 / 7)
    assert cells(errors, short_side=120).share == 0.0


def test_nothing_seen_agrees_with_nothing():
    for errors in ([], [np.inf] * 5):
        found = cells(errors)
        assert (found.share, found.spread) == (0.0, 0.0)


def test_parts_of_the_image_are_counted_once():
    pixels = np.array([[1.0, 1.0], [2.0, 3.0], [639.0, 479.0], [639.0, 1.0]])
    assert occupied(pixels, CAMERA) == 3 / 48
    assert occupied(pixels[:0], CAMERA) == 0.0


def grid(left, top, right, bottom, step):
    x, y = np.meshgrid(np.arange(left, right, step), np.arange(top, bottom, step))
    return np.stack([x.ravel(), y.ravel()], axis=1) + 0.5


def test_what_agreeing_points_surround_is_counted():
    visible = grid(0, 0, 640, 480, 10)
    # A picture of the place on a wall: a quarter of the width and half of the height.
    poster = grid(200, 100, 360, 340, 6)
    assert enclosed(poster, visible, CAMERA) == pytest.approx(1 / 8, rel=0.15)
    # What stands before the place hides landmarks, but leaves some on all sides.
    hidden = (poster.mean(axis=0) - 100 < visible) & (visible < poster.mean(axis=0) + 100)
    assert enclosed(visible[~hidden.all(axis=1)], visible, CAMERA) > 0.99


def test_a_few_that_agree_by_chance_enclose_nothing():
    visible = grid(0, 0, 640, 480, 4)
    stray = np.array([[1.0, 1.0], [639.0, 1.0], [639.0, 479.0], [1.0, 479.0], [320.0, 5.0]])
    poster = grid(200, 100, 360, 340, 6)
    both = np.concatenate([poster, stray])
    assert enclosed(both, visible, CAMERA) == enclosed(poster, visible, CAMERA)
    assert enclosed(stray, visible, CAMERA) == 0.0
    assert enclosed(stray[:0], visible[:0], CAMERA) == 0.0
