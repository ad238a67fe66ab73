"""Filling the buffer: from which frames, how much, and what belongs together."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.errors import SceneError
from reloc.geometry import Camera, inverted
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.fill import BufferFiller, FillOptions, centred_cam_from_world
from reloc.scenes import Frame

# An off-centre, distorted camera with two focal lengths, landscape and portrait.
LANDSCAPE = Camera("OPENCV", 400, 300, (330, 350, 215, 140, -0.18, 0.05, 0.002, -0.001))
PORTRAIT = Camera("OPENCV", 300, 440, (350, 330, 140, 235, -0.12, 0.03, -0.001, 0.002))


class MeanBackbone:
    """A feature is the mean and the spread of a cell's brightness: quick and easy to check."""

    channels, stride, fingerprint = 2, 8, "mean"

    def __call__(self, images):
        mean = torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)
        return torch.cat([mean, mean * 2], dim=1)


def test_poses_keep_their_digits_far_from_the_origin(frame_of):
    far = np.array([4.5e6, -3.2e6, 7.7e5])
    frame = frame_of(LANDSCAPE)
    pose = frame.world_from_cam.copy()
    pose[:3, 3] += far
    before = pose.copy()
    cam_from_world = centred_cam_from_world([replace(frame, world_from_cam=pose)], far)
    expected = inverted(frame.world_from_cam)[:3]
    np.testing.assert_allclose(cam_from_world[0].numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(pose, before)


def filler_of(frames, **options):
    extractor = FeatureExtractor(MeanBackbone(), device=torch.device("cpu"))
    return BufferFiller(
        frames,
        extractor,
        FillOptions(**{"short_side": 160, "cells_per_view": 100, **options}),
        depth=3.0,
    )


def buffer_of(frames, capacity):
    poses = centred_cam_from_world(frames, np.zeros(3))
    return FeatureBuffer.empty(capacity, channels=2, cam_from_world=poses, dtype=torch.float32)


def test_the_buffer_is_filled_from_all_frames(frame_of):
    frames = [frame_of(LANDSCAPE if n % 2 else PORTRAIT, n) for n in range(4)]
    buffer, told = buffer_of(frames, 10_000), []
    filler = filler_of(frames)
    views = filler.fill(
        buffer, max_views=8, progress=lambda stage, done, total: told.append((done, total))
    )
    assert views == 8
    assert buffer.count == 800
    assert torch.bincount(buffer.frames[:800].long()).tolist() == [200] * 4
    assert told == [(n, 8) for n in range(1, 9)]
    assert filler.skipped == []
    # Features are those of the cells: brightness from 0 to 1, and both channels of one cell.
    features = buffer.features[:800]
    assert 0 <= features[:, 0].min() < features[:, 0].max() <= 1
    torch.testing.assert_close(features[:, 1], 2 * features[:, 0], rtol=0.02, atol=0.0)


def test_drawn_features_belong_to_their_rays(tmp_path):
    """Brightness grows to the right of the photo, so it must grow with the ray's x."""
    camera = Camera.pinhole(width=320, height=240, fx=300)
    ramp = np.tile(np.linspace(0, 255, 320), (240, 1)).round().astype(np.uint8)
    frames = []
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), ramp)
        frames.append(Frame(f"{number}.png", tmp_path / f"{number}.png", camera, np.eye(4)))
    buffer = buffer_of(frames, 150)
    filler_of(frames).fill(buffer, max_views=2)
    expected = (buffer.rays[:, 0] * 300 + 160) / 320
    # The second frame's view is relit, so its levels lie on another line.
    for number in range(2):
        rows = buffer.frames[:150] == number
        x, y = expected[rows].numpy(), buffer.features[:150][rows, 0].float().numpy()
        clear = (y > 0.02) & (y < 0.98)
        slope, offset = np.polyfit(x[clear], y[clear], 1)
        assert 0.7 < slope < 1.3
        assert np.abs(slope * x + offset - y)[clear].max() < 0.02


def test_filling_ends_at_the_capacity_the_views_or_the_time(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    for capacity, limits, views in (
        (250, {}, 3),
        (700, {}, 7),
        (10_000, {"max_views": 4}, 4),
        (10_000, {"seconds": 0.0}, 1),
    ):
        buffer = buffer_of(frames, capacity)
        assert filler_of(frames).fill(buffer, **limits) == views
        assert buffer.count == min(capacity, 100 * views)


def test_the_same_seed_fills_the_same_buffer(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    filled = []
    for seed in (0, 0, 1):
        buffer = buffer_of(frames, 500)
        filler_of(frames, seed=seed).fill(buffer)
        filled.append(buffer)
    assert torch.equal(filled[0].features, filled[1].features)
    assert torch.equal(filled[0].rays, filled[1].rays)
    assert torch.equal(filled[0].frames, filled[1].frames)
    assert not torch.equal(filled[0].rays, filled[2].rays)


def test_every_fourth_view_of_a_frame_is_plain(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(2)]
    buffer = buffer_of(frames, 10_000)
    filler_of(frames).fill(buffer, max_views=16)
    focal = LANDSCAPE.focal * 160 / 300
    plain = [abs(f / focal - 1) < 1e-5 for f in buffer.focals[: buffer.count : 100].tolist()]
    frame = buffer.frames[: buffer.count : 100].tolist()
    assert sum(plain) == 4
    assert sorted(n for n, is_plain in zip(frame, plain, strict=True) if is_plain) == [0, 0, 1, 1]


def test_bad_images_are_skipped_once_and_named(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(5)]
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "3.png").unlink()
    frames[4] = replace(frames[4], camera=PORTRAIT)
    buffer = buffer_of(frames, 10_000)
    filler = filler_of(frames)
    assert filler.fill(buffer, max_views=6) == 6
    assert sorted(s.name for s in filler.skipped) == ["1.png", "3.png", "4.png"]
    assert all(s.reason and "\n" not in s.reason for s in filler.skipped)
    assert set(buffer.frames[: buffer.count].tolist()) == {0, 2}


def test_a_scene_without_usable_images_is_one_clear_error(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    for frame in frames[:2]:
        frame.image.write_bytes(b"")
    with pytest.raises(SceneError, match=r"hardly any mapping image.*empty") as caught:
        filler_of(frames).fill(buffer_of(frames, 1000))
    assert "\n" not in str(caught.value)
    frames[2].image.unlink()
    with pytest.raises(SceneError, match="hardly any mapping image"):
        filler_of(frames).fill(buffer_of(frames, 1000))


def test_filling_ends_where_no_wanted_frame_can_be_read(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(4)]
    (tmp_path / "1.png").write_bytes(b"no image")
    filler = filler_of(frames)
    filler.wanted = frozenset([1])
    with pytest.raises(SceneError, match=r"hardly any mapping image.*1\.png"):
        filler.fill(buffer_of(frames, 1000), seconds=60)
