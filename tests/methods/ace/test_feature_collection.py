"""Collecting features: from which frames, how much, and what belongs together."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.methods.ace import MappingOptions
from reloc.methods.ace.bounds import Bounds, ViewCounts
from reloc.methods.ace.feature_collection import FeatureCollector
from reloc.methods.ace.feature_sampler import FeatureSampler
from reloc.methods.ace.multi_view_stereo import SurveyedFrames
from reloc.methods.ace.view_reader import ViewReader
from reloc.scenes import Frame
from reloc.training import TimeLimit

# An off-centre, distorted camera with two focal lengths, landscape and portrait.
LANDSCAPE = Camera("OPENCV", 400, 300, (330, 350, 215, 140, -0.18, 0.05, 0.002, -0.001))
PORTRAIT = Camera("OPENCV", 300, 440, (350, 330, 140, 235, -0.12, 0.03, -0.001, 0.002))


class TimeUp(TimeLimit):
    """A limit of which nothing is left."""

    def left(self, share=1.0):
        return 0.0


class MeanBackbone:
    """A feature is the mean and the spread of a cell's brightness: quick and easy to check."""

    channels, stride, fingerprint = 2, 8, "mean"

    def __call__(self, images):
        mean = torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)
        return torch.cat([mean, mean * 2], dim=1)


def no_survey(frames, **told):
    """Of which no view was seen, so that all views are those of the passes."""
    nothing = SurveyedFrames(3.0, (), 0, tuple(range(len(frames))), (), {}, {}, {})
    return replace(nothing, **told)


def collected(
    frames, *, capacity=10_000, views=None, clock=None, wanted=None, seed=0, by_one=False, **more
):
    extractor = FeatureExtractor(MeanBackbone(), device=torch.device("cpu"))
    reader = ViewReader(frames, short_side=160, stride=8, seed=seed)
    collector = FeatureCollector(
        FeatureSampler(reader, extractor, cells_per_view=100, seed=seed),
        no_survey(frames),
        wanted=range(len(frames)) if wanted is None else wanted,
        bounds=Bounds(1, capacity, clock=clock or TimeLimit(None)),
        # A row of two channels takes 20 bytes; with a time limit as many are taken as fit.
        options=MappingOptions(buffer_gb=capacity * 20 / 1e9, time_limit=60, seed=seed),
        scratch=Path(),
        **more,
    )
    with closing(collector):
        for count in range(1, views + 1) if by_one else [views or 10_000]:
            collector.collect(count)
        return collector.collected()


def test_the_buffer_is_filled_from_all_frames(frame_of):
    frames = [frame_of(LANDSCAPE if n % 2 else PORTRAIT, n) for n in range(4)]
    told = []
    made = collected(
        frames, views=8, progress=lambda stage, done, total: told.append((done, total))
    )
    buffer = made.buffer
    assert made.counts == ViewCounts(0, 0, 8)
    assert buffer.count == 800
    assert torch.bincount(buffer.frames[:800].long()).tolist() == [200] * 4
    assert told == [(n, 8) for n in range(1, 9)]
    assert made.skipped == ()
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
    buffer = collected(frames, capacity=150, views=2).buffer
    expected = (buffer.seen[:, 0] * 300 + 160) / 320
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
        (10_000, {"views": 4}, 4),
        (10_000, {"clock": TimeUp(0)}, 1),
    ):
        made = collected(frames, capacity=capacity, **limits)
        assert made.counts.views == views
        assert made.buffer.count == min(capacity, 100 * views)


def test_the_same_seed_fills_the_same_buffer(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    filled = [collected(frames, capacity=500, seed=seed).buffer for seed in (0, 0, 1)]
    assert torch.equal(filled[0].features, filled[1].features)
    assert torch.equal(filled[0].seen, filled[1].seen)
    assert torch.equal(filled[0].frames, filled[1].frames)
    assert not torch.equal(filled[0].seen, filled[2].seen)


def test_views_that_are_asked_for_later_are_the_same(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(4)]
    (tmp_path / "1.png").write_bytes(b"no image")
    at_once, by_one = (collected(frames, views=9, by_one=late) for late in (False, True))
    assert at_once.counts == by_one.counts
    for name in ("features", "seen", "frames"):
        assert torch.equal(
            getattr(at_once.buffer, name)[: at_once.buffer.count],
            getattr(by_one.buffer, name)[: by_one.buffer.count],
        )


def test_every_fourth_view_of_a_frame_is_plain(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(2)]
    buffer = collected(frames, views=16).buffer
    focal = LANDSCAPE.focal * 160 / 300
    plain = [abs(f / focal - 1) < 1e-5 for f in buffer.seen[: buffer.count : 100, 2].tolist()]
    frame = buffer.frames[: buffer.count : 100].tolist()
    assert sum(plain) == 4
    assert sorted(n for n, is_plain in zip(frame, plain, strict=True) if is_plain) == [0, 0, 1, 1]


def test_bad_images_are_skipped_once_and_named(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(5)]
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "3.png").unlink()
    frames[4] = replace(frames[4], camera=PORTRAIT)
    made = collected(frames, views=6)
    buffer = made.buffer
    assert made.counts.views == 6
    assert sorted(s.name for s in made.skipped) == ["1.png", "3.png", "4.png"]
    assert all(s.reason and "\n" not in s.reason for s in made.skipped)
    assert set(buffer.frames[: buffer.count].tolist()) == {0, 2}


def test_a_scene_without_usable_images_is_one_clear_error(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    for frame in frames[:2]:
        frame.image.write_bytes(b"")
    with pytest.raises(SceneError, match=r"hardly any mapping image.*empty") as caught:
        collected(frames, capacity=1000)
    assert "\n" not in str(caught.value)
    frames[2].image.unlink()
    with pytest.raises(SceneError, match="hardly any mapping image"):
        collected(frames, capacity=1000)


def test_filling_ends_where_no_wanted_frame_can_be_read(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(4)]
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(SceneError, match=r"hardly any mapping image.*1\.png"):
        collected(frames, capacity=1000, wanted=frozenset([1]), clock=TimeLimit(60))
