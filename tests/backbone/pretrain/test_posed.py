"""Pairs of posed views: matches show the same point, also through lenses and past obstacles."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from reloc.backbone.pretrain import posed, view_pairs
from reloc.backbone.pretrain.posed import PosedPairs, PosedView, matches
from reloc.errors import SceneError
from reloc.geometry import Camera, pose_from, rotation_from_vector

LENS = Camera("RADIAL", 320, 256, (260.0, 158.0, 130.0, -0.08, 0.01))
FLAT = Camera.pinhole(width=640, height=480, fx=520, fy=500, cx=310, cy=250)
HIDDEN = 60  # columns at the left of the second view that something near covers


def wavy(x, y):
    """A picture on the wall at z = 2, in metres: the same wherever it is seen from."""
    return 128 + 55 * np.sin(x * 12 + np.sin(y * 5)) + 55 * np.cos(y * 13 + x * 4)


@dataclass(frozen=True)
class Wall:
    """Depth of the wall z = 2, behind something near at the left of the picture."""

    camera: Camera
    pose: np.ndarray
    hidden: int
    near: float = 0.3

    def along(self, rays):
        directions = np.c_[rays, np.ones(len(rays))] @ self.pose[:3, :3].T
        depth = (2 - self.pose[2, 3]) / directions[:, 2]
        return np.where(self.camera.pixels(rays)[:, 0] < self.hidden, self.near, depth)


def wall_view(camera, pose, *, hidden=0):
    depths = Wall(camera, pose, hidden)
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    depth = depths.along(camera.rays(pixels))
    points = np.c_[camera.rays(pixels), np.ones(len(pixels))] * depth[:, None]
    points = points @ pose[:3, :3].T + pose[:3, 3]
    image = wavy(points[:, 0], points[:, 1]).reshape(y.shape)
    image[:, :hidden] = 255
    return PosedView.of(np.clip(image, 0, 255).astype(np.uint8), camera, pose, depths)


@pytest.fixture
def views():
    beside = pose_from(rotation_from_vector([0.05, -0.15, 0.1]), [0.4, -0.1, 0.2])
    return [wall_view(LENS, np.eye(4)), wall_view(FLAT, beside, hidden=HIDDEN)]


def shown(image, pixels):
    at = (pixels - 0.5).astype(np.float32)
    return cv2.remap(image.astype(np.float32), at, None, cv2.INTER_LINEAR)[:, 0]


def test_matches_show_the_same_point(views):
    for first, second in (views, views[::-1]):
        before, after, asked = matches(first, second, stride=8)
        assert 0.3 * asked < len(before) < asked
        seen = [shown(v.view.image, p) for v, p in ((first, before), (second, after))]
        assert np.abs(seen[0] - seen[1]).mean() < 3
    assert matches(*views, stride=8)[1][:, 0].min() > HIDDEN - 1


@pytest.mark.slow
def test_unknown_depth_gives_no_match(views):
    half = Wall(LENS, np.eye(4), 160, near=np.nan)
    first = PosedView(views[0].view, LENS, np.eye(4), half)
    before, _, _ = matches(first, views[1], stride=8)
    assert len(before) > 50
    assert before[:, 0].min() >= 160


@pytest.mark.slow
def test_pairs_show_the_same_point_and_repeat(views, monkeypatch):
    monkeypatch.setattr(view_pairs, "retaken", lambda image, rng: image)
    source = PosedPairs(views, name="wall", size=160)
    assert set(source.pairs) == {(0, 1), (1, 0)}
    for seed in range(4):
        pair = source.pair(seed)
        assert pair.first.shape == pair.second.shape == (160, 160)
        assert len(pair.pixels_first) > 60
        first = shown(pair.first, pair.pixels_first)
        assert np.abs(first - shown(pair.second, pair.pixels_second)).mean() < 8
        assert np.array_equal(pair.second, source.pair(seed).second)


@pytest.mark.slow
def test_views_that_share_nothing_are_refused(views):
    away = wall_view(FLAT, pose_from(np.eye(3), [30.0, 0.0, 0.0]))
    with pytest.raises(SceneError, match="wall: no two"):
        posed.PosedPairs([views[0], away], name="wall", size=160)
