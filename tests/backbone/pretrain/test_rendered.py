"""Pairs of rendered views: correspondences through depth, poses and the crops on top."""

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone.pretrain import rendered, view_pairs
from reloc.backbone.pretrain.rendered import RenderedPairs
from reloc.geometry import pose_from, rotation_from_vector
from reloc.synthetic import cache
from reloc.synthetic.training_views import TrainingViews

SIZE = 256
HIDDEN = 40  # columns at the left of the second view that something near covers


def wavy(x, y):
    """A picture on the wall at z = 2, in metres: the same wherever it is seen from."""
    return 128 + 55 * np.sin(x * 12 + np.sin(y * 5)) + 55 * np.cos(y * 13 + x * 4)


def wall_seen(pose, focal):
    """Grey picture and depth (S, S) of the plane z = 2."""
    ticks = np.arange(SIZE) + 0.5 - SIZE / 2
    x, y = np.meshgrid(ticks / focal, ticks / focal)
    directions = np.stack([x, y, np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    depth = (2 - pose[2, 3]) / directions[..., 2]
    points = pose[:3, 3] + directions * depth[..., None]
    return wavy(points[..., 0], points[..., 1]).round().astype(np.uint8), depth


@pytest.fixture
def wall():
    """Two views of a wall; part of the second is covered."""
    poses = np.stack(
        [np.eye(4), pose_from(rotation_from_vector([0.05, -0.15, 0.1]), [0.4, -0.1, 0.2])]
    )
    focals = (240.0, 300.0)
    views = [wall_seen(pose, focal) for pose, focal in zip(poses, focals, strict=True)]
    images = np.stack([view[0] for view in views])
    depths = np.stack([view[1] for view in views]).astype(np.float32)
    depths[1, :, :HIDDEN] = 0.3
    images[1, :, :HIDDEN] = 255
    return TrainingViews(
        images=images,
        depths=depths,
        intrinsics=np.array([(f, f, SIZE / 2, SIZE / 2) for f in focals]),
        world_from_cam=poses,
        pairs=np.array([[0, 1], [1, 0]]),
        overlaps=np.array([0.5, 0.5], np.float32),
    )


def shown(image, pixels):
    at = (pixels - 0.5).astype(np.float32)
    return cv2.remap(image.astype(np.float32), at, None, cv2.INTER_LINEAR)[:, 0]


def test_matching_pixels_show_the_same_point(wall, monkeypatch):
    monkeypatch.setattr(view_pairs, "retaken", lambda image, rng: image)
    source = RenderedPairs([wall], size=160)
    errors, wrong = [], []
    for seed in range(25):
        pair = source.pair(seed)
        assert pair.first.shape == pair.second.shape == (160, 160)
        assert len(pair.pixels_first) == len(pair.pixels_second)
        for pixels in (pair.pixels_first, pair.pixels_second):
            assert ((pixels > 0) & (pixels < 160)).all()
        if len(pair.pixels_first) < 32:
            continue
        first = shown(pair.first, pair.pixels_first)
        errors.append(np.abs(first - shown(pair.second, pair.pixels_second)).mean())
        wrong.append(np.abs(first - shown(pair.second, pair.pixels_second + 0.7)).mean())
    assert len(errors) > 12
    assert np.median(errors) < 2.0
    assert np.median(wrong) > 2 * np.median(errors)


def test_the_same_number_gives_the_same_pair(wall):
    source = RenderedPairs([wall], size=64)
    for seed in range(5):
        one, two = source.pair(seed), source.pair(seed)
        np.testing.assert_array_equal(one.first, two.first)
        np.testing.assert_array_equal(one.second, two.second)
        np.testing.assert_array_equal(one.pixels_second, two.pixels_second)


def test_rooms_are_rendered_once_and_then_read(wall, tmp_path, monkeypatch):
    calls = []

    def render(seed, *, views, device):
        assert device == "cpu"
        calls.append((seed, views))
        return wall

    monkeypatch.setattr(cache, "render_training_views", render)
    one = RenderedPairs.from_cache(tmp_path, rooms=2, size=64, views=2)
    assert sorted(calls) == [(0, 2), (1, 2)]
    two = RenderedPairs.from_cache(tmp_path, rooms=3, size=64, views=2)
    assert sorted(calls) == [(0, 2), (1, 2), (2, 2)]
    np.testing.assert_array_equal(
        one.pair(3).first, RenderedPairs(two.rooms[:2], size=64).pair(3).first
    )


def test_processes_share_the_rendering(tmp_path, monkeypatch, wall):
    """The second of two renders the odd rooms before all wait, and reads the even ones after."""
    calls = []

    def views(folder, seed, **sizes):
        calls.append(seed)
        return wall

    monkeypatch.setattr(rendered, "cached_training_views", views)
    monkeypatch.setattr(rendered, "place_among_processes", lambda: (1, 2))
    monkeypatch.setattr(torch.distributed, "barrier", lambda: calls.append("barrier"))
    RenderedPairs.from_cache(tmp_path, rooms=5, size=64, workers=1)
    assert calls == [1, 3, "barrier", 0, 2, 4]


def test_a_passer_by_hides_what_is_behind_it(wall):
    rng = np.random.default_rng(0)
    still = RenderedPairs([wall], size=160).pair(1)
    moved = view_pairs.with_passer_by(still, np.full((99, 99), 7, np.uint8), rng)
    hidden = moved.second != still.second
    assert 0.02 < hidden.mean() < 0.4
    assert (moved.second[hidden] == 7).all()
    np.testing.assert_array_equal(moved.first, still.first)
    assert len(moved.pixels_second) == len(moved.pixels_first) < len(still.pixels_second)
    at = moved.pixels_second.astype(int)
    assert not hidden[at[:, 1], at[:, 0]].any()
