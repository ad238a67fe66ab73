"""A survey finds how far frames see, and the filler makes use of it."""

import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor, load_backbone
from reloc.geometry import inverted, transformed
from reloc.mapping import fill, survey
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.fill import BufferFiller, FillOptions, centred_cam_from_world
from reloc.mapping.survey import StereoSurvey
from reloc.mapping.views import prepare_view
from reloc.scenes import Frame

WALL = 3.0


@pytest.fixture(scope="module")
def frames(wall_frames):
    return wall_frames


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(load_backbone(None), device=torch.device("cpu"))


def buffer_of(frames, extractor, capacity=20_000):
    return FeatureBuffer.empty(
        capacity,
        channels=extractor.channels,
        cam_from_world=centred_cam_from_world(frames, np.zeros(3)),
    )


def filler_of(frames, extractor, depth=WALL):
    options = FillOptions(short_side=240, cells_per_view=300)
    return BufferFiller(frames, extractor, options, depth=depth)


def on_wall(buffer, rows):
    """Whether rows with a depth have that of the wall, within a twentieth."""
    rays, inverse = buffer.rays[rows].double().numpy(), buffer.inverse_depths[rows].double().numpy()
    known = inverse > 0
    cam = np.c_[rays, np.ones(len(rays))][known] / inverse[known, None]
    frames = buffer.frames[rows].numpy()[known]
    z = [
        transformed(inverted(np.vstack([buffer.cam_from_world[f].double(), [0, 0, 0, 1]])), p[None])
        for f, p in zip(frames, cam, strict=True)
    ]
    return known.mean(), np.mean(np.abs(np.concatenate(z)[:, 2] / WALL - 1) < 0.05)


@pytest.mark.parametrize("told", [0.6 * WALL, WALL, 1.6 * WALL])
def test_a_depth_that_is_about_right_is_kept(frames, extractor, told):
    filler = filler_of(frames, extractor, depth=told)
    filler.survey(buffer_of(frames, extractor), max_frames=9)
    assert filler.depth == told


def test_a_depth_that_walls_belie_is_corrected(frames, extractor):
    buffer, filler = buffer_of(frames, extractor), filler_of(frames, extractor, depth=4.5 * WALL)
    filler.survey(buffer, max_frames=9)
    assert filler.depth == pytest.approx(WALL, rel=0.1)
    known, right = on_wall(buffer, slice(0, buffer.count))
    assert known > 0.6
    assert right > 0.9


def test_the_survey_and_the_views_after_it_know_where_the_wall_is(frames, extractor):
    buffer, filler, told = buffer_of(frames, extractor), filler_of(frames, extractor), []
    seen = filler.survey(buffer, max_frames=9, progress=lambda stage, n, of: told.append(stage))
    assert (seen.frames, seen.swept) == (9, 9)
    assert told == ["features"] * 9 + ["depth"] * 9
    assert sorted(filler.inverse_depths) == list(range(9))
    assert sorted(filler.descriptors) == list(range(9))
    known, right = on_wall(buffer, slice(0, buffer.count))
    assert known > 0.6
    assert right > 0.9
    before = buffer.count
    assert filler.fill(buffer, max_views=12) == 12
    known, right = on_wall(buffer, slice(before, buffer.count))
    assert known > 0.7
    assert right > 0.9


def test_the_same_survey_finds_the_same(frames, extractor):
    first, second = buffer_of(frames, extractor), buffer_of(frames, extractor)
    for buffer in (first, second):
        filler_of(frames, extractor).survey(buffer, max_frames=5)
    assert first.count == second.count == 1500
    assert torch.equal(first.inverse_depths, second.inverse_depths)
    assert torch.equal(first.features[:1500], second.features[:1500])


def test_the_depth_settles_the_same_on_the_few_frames_that_are_asked(
    frames, extractor, monkeypatch
):
    """Once with all frames at hand, once with those beside the asked ones alone."""
    for name in ("VIEWS_FOR_DIRECTIONS", "FRAMES_ASKED"):
        monkeypatch.setattr(fill, name, 1)
        monkeypatch.setattr(survey, name, 1)
    surveying, alone = (filler_of(frames, extractor, depth=3 * WALL) for _ in range(2))
    surveying.survey(buffer_of(frames, extractor), max_frames=9)
    read = []
    prepare = fill.prepare_view

    def prepare_and_tell(frame, index, **more):
        read.append(index)
        return prepare(frame, index, **more)

    monkeypatch.setattr(fill, "prepare_view", prepare_and_tell)
    alone.settle(max_frames=9)
    assert alone.depth == surveying.depth < 2 * WALL
    assert len(read) == len(set(read)) < 9


def test_a_survey_ends_at_its_limits(frames, extractor):
    for limits, surveyed, swept in (
        ({"max_frames": 4}, 4, 4),
        ({"max_frames": 6, "max_swept": 2}, 6, 2),
        ({"max_frames": 9, "seconds": 0.0}, 1, 0),
    ):
        seen = filler_of(frames, extractor).survey(buffer_of(frames, extractor), **limits)
        assert (seen.frames, seen.swept) == (surveyed, swept)


def test_frames_of_one_spot_are_not_drawn_from_beside(frames, extractor):
    """Nothing has a parallax there; homographies have to do."""
    spot = [Frame(f.name, f.image, f.camera, frames[0].world_from_cam) for f in frames[:3]]
    buffer, filler = buffer_of(spot, extractor), filler_of(spot, extractor)
    assert filler.survey(buffer, max_frames=3).swept == 3
    assert filler.inverse_depths == {}
    filler.fill(buffer, max_views=3)
    assert not buffer.inverse_depths.any()


def test_few_views_are_swept_like_many(frames, extractor):
    """Directions of features are chosen from as many views as there are."""
    stereo = StereoSurvey(frames, depth=WALL, stride=8)
    for number in (3, 4, 5):
        view = prepare_view(frames[number], number, kind="plain", short_side=240, stride=8)
        stereo.add(view, extractor(view.image))
    found = dict(stereo.sweep())
    assert list(found) == [3, 4, 5]
    values = np.concatenate([f.values.ravel() for f in found.values() if f is not None])
    assert np.isfinite(values).mean() > 0.5


def test_a_view_that_comes_later_is_swept_alone(frames, extractor):
    stereo = StereoSurvey(frames, depth=WALL, stride=8)
    for number in (3, 4, 5):
        view = prepare_view(frames[number], number, kind="plain", short_side=240, stride=8)
        stereo.add(view, extractor(view.image))
    all_found, (number, alone) = dict(stereo.sweep()), next(stereo.sweep(first=2))
    assert number == 5
    np.testing.assert_array_equal(alone.values, all_found[5].values)
