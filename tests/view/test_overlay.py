"""What a map draws on a photo."""

import numpy as np
import pytest
import torch

from reloc.errors import MapError
from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.heads import MlpHead
from reloc.localize import Estimate
from reloc.maps import SceneMap
from reloc.maps.scene_map import MappingCamera, PreviewPoints, Region
from reloc.view.overlay import BAD, CUBE_COLOR, GOOD, Overlay

CAMERA = Camera.pinhole(width=320, height=240, fx=260)
POSE = look_at((0.0, -4.0, 1.5), (0.0, 0.0, 0.4))
GREEN = (20, 230, 30)


def floor(count=600):
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-2, 2, (count, 2)), rng.normal(0, 0.002, count)]
    return PreviewPoints(points, np.tile(np.array(GREEN, np.uint8), (count, 1)))


def made_map(preview):
    torch.manual_seed(0)
    head = MlpHead(channels=4, width=8, blocks=0, scale=3.0)
    return SceneMap(
        regions=(Region(head, np.zeros(3)),),
        backbone="x",
        short_side=240,
        extent=2.0,
        unit="metre",
        cameras=(MappingCamera("a", POSE, CAMERA),),
        preview=preview,
    )


def drawn(pose, *, localized=True, preview=None):
    photo = np.full((240, 320, 3), 120, np.uint8)
    estimate = Estimate("a", localized, pose, inliers=9, inlier_share=0.5, confidence=0.9)
    picture = Overlay.of(made_map(preview or floor())).drawn(photo, CAMERA, estimate)
    assert picture.shape == photo.shape
    assert (photo == 120).all()
    return picture


def near(picture, color, tolerance=40):
    return np.abs(picture.astype(int) - color).max(axis=2) < tolerance


def test_points_are_drawn_where_the_pose_says_in_the_map_s_colors():
    picture = drawn(POSE)
    pixels = CAMERA.project(transformed(inverted(POSE), floor().points))
    top = pixels[:, 1].min()
    green = near(picture, GREEN)
    assert green.sum() > 300
    assert np.nonzero(green)[0].min() >= top - 3
    # Another pose draws them elsewhere.
    moved = POSE.copy()
    moved[2, 3] += 0.5
    assert (near(drawn(moved), GREEN) != green).sum() > 200


def test_a_cube_stands_on_the_floor_with_axes():
    picture = drawn(POSE)
    edges = near(picture, CUBE_COLOR, 30)
    assert edges.sum() > 100
    # It rises above the floor's point in the middle, not below it.
    rows = np.nonzero(edges)[0]
    assert rows.max() - rows.min() > 20
    for axis in ((240, 70, 70), (90, 210, 90), (80, 140, 255)):
        assert near(picture, axis, 40).sum() > 5


def test_where_no_floor_is_in_view_the_axes_stand_on_a_point_that_is():
    rng = np.random.default_rng(0)
    wall = PreviewPoints(
        np.c_[rng.uniform(-2, 2, 400), np.zeros(400), rng.uniform(-1, 2, 400)],
        np.full((400, 3), 128, np.uint8),
    )
    assert not len(Overlay.of(made_map(wall)).ground.spots)
    picture = drawn(POSE, preview=wall)
    middle = np.s_[60:200, 80:240]
    for axis in ((240, 70, 70), (80, 140, 255)):
        assert near(picture[middle], axis, 40).sum() > 20


def test_what_is_behind_something_nearer_is_not_drawn():
    wall = np.stack(
        [a.ravel() for a in np.meshgrid(np.linspace(-2, 2, 60), [-2.0], np.linspace(-1, 3, 60))], 1
    )
    hidden = np.random.default_rng(0).uniform((-1, 1.0, 0), (1, 2.0, 1), (100, 3))
    colors = np.r_[np.tile([90, 90, 90], (len(wall), 1)), np.tile(GREEN, (100, 1))]
    preview = PreviewPoints(np.r_[wall, hidden], colors.astype(np.uint8))
    assert near(drawn(POSE, preview=preview), GREEN).sum() == 0


def test_the_label_says_whether_to_believe_it():
    good, bad = drawn(POSE), drawn(POSE, localized=False)
    assert near(good[-30:], GOOD, 30).any()
    assert near(bad[-30:], BAD, 30).any()
    lost = drawn(None, localized=False)
    assert lost[:200].max() < 60
    assert near(lost[-30:], BAD, 30).any()


def test_looking_away_draws_no_points():
    away = look_at((0.0, -4.0, 1.5), (0.0, -9.0, 1.5))
    assert near(drawn(away), GREEN).sum() == 0


def test_a_map_without_points_is_refused():
    with pytest.raises(MapError, match="no points"):
        Overlay.of(made_map(None))
