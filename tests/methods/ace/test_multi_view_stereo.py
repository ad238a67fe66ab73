"""A survey finds how far frames see, and further views make use of it."""

from contextlib import closing

import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor, load_backbone
from reloc.geometry import inverted, transformed
from reloc.mapping import stereo_survey
from reloc.mapping.stereo_survey import StereoSurvey
from reloc.mapping.views import prepare_view
from reloc.methods.ace import MappingOptions, division, plain_views, view_reader
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.division import Division, divide
from reloc.methods.ace.feature_collection import FeatureCollector
from reloc.methods.ace.feature_sampler import FeatureSampler
from reloc.methods.ace.multi_view_stereo import survey_frames
from reloc.methods.ace.plain_views import look
from reloc.methods.ace.view_reader import ViewReader
from reloc.progress import silent
from reloc.sampling import spread_order
from reloc.scenes import Frame, poses_of
from reloc.training import TimeLimit

WALL = 3.0


class TimeUp(TimeLimit):
    """A limit of which nothing is left."""

    def left(self, share=1.0):
        return 0.0


@pytest.fixture(scope="module")
def frames(wall_frames):
    return wall_frames


class Remembering(FeatureExtractor):
    """Looks at the same picture once."""

    def __init__(self):
        super().__init__(load_backbone(None), device=torch.device("cpu"))
        self._seen = {}

    def with_local(self, image):
        key = (image.shape, image.tobytes())
        if key not in self._seen:
            self._seen[key] = super().with_local(image)
        features, local = self._seen[key]
        return features.clone(), local.clone()


@pytest.fixture(scope="module")
def extractor():
    return Remembering()


def spread_of(frames):
    return tuple(spread_order(len(frames)))


def sampler_of(frames, extractor):
    reader = ViewReader(frames, short_side=240, stride=8)
    return FeatureSampler(reader, extractor, cells_per_view=300)


def divided(frames, views, *, depth):
    return divide(
        views,
        poses_of(frames),
        expected_depth=depth,
        options=MappingOptions(heads=1),
        head=None,
        place="wall",
    )


def surveyed(frames, extractor, *, most, depth=WALL, swept=None, time_up=False, progress=silent):
    bounds = Bounds(most, 100, swept=swept, clock=TimeUp(0) if time_up else TimeLimit(None))
    views = look(sampler_of(frames, extractor), bounds=bounds, progress=progress)
    division = divided(frames, views, depth=depth)
    return survey_frames(views, poses_of(frames), division, bounds=bounds, progress=progress)


def buffer_after(frames, extractor, survey, *, views, tmp_path):
    """The buffer with so many views after those of the survey."""
    collector = FeatureCollector(
        sampler_of(frames, extractor),
        survey,
        wanted=range(len(frames)),
        bounds=Bounds(len(survey.due), 100, views=len(survey.due) + views),
        options=MappingOptions(views=100, cells_per_view=300),
        scratch=tmp_path,
    )
    with closing(collector):
        collector.collect(len(survey.due) + views)
    return collector.buffer


def on_wall(buffer, rows):
    """Whether rows with a depth have that of the wall, within a twentieth."""
    rays, inverse = buffer.seen[rows, :2].double().numpy(), buffer.seen[rows, 3].double().numpy()
    known = inverse > 0
    cam = np.c_[rays, np.ones(len(rays))][known] / inverse[known, None]
    frames = buffer.frames[rows].numpy()[known]
    z = [
        transformed(inverted(np.vstack([buffer.cam_from_world[f].double(), [0, 0, 0, 1]])), p[None])
        for f, p in zip(frames, cam, strict=True)
    ]
    return known.mean(), np.mean(np.abs(np.concatenate(z)[:, 2] / WALL - 1) < 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("told", [0.6 * WALL, WALL, 1.6 * WALL])
def test_a_depth_that_is_about_right_is_kept(frames, extractor, told):
    assert surveyed(frames, extractor, most=9, depth=told).depth == told


@pytest.mark.slow
def test_a_depth_that_walls_belie_is_corrected(frames, extractor, tmp_path):
    survey = surveyed(frames, extractor, most=9, depth=4.5 * WALL)
    buffer = buffer_after(frames, extractor, survey, views=0, tmp_path=tmp_path)
    assert survey.depth == pytest.approx(WALL, rel=0.1)
    known, right = on_wall(buffer, slice(0, buffer.count))
    assert known > 0.6
    assert right > 0.9


@pytest.mark.slow
def test_the_survey_and_the_views_after_it_know_where_the_wall_is(frames, extractor, tmp_path):
    told = []
    survey = surveyed(frames, extractor, most=9, progress=lambda stage, n, of: told.append(stage))
    assert (len(survey.due), survey.swept) == (9, 9)
    assert told == ["features"] * 9 + ["depth"] * 9
    assert sorted(survey.inverse_depths) == list(range(9))
    assert sorted(survey.descriptors) == list(range(9))
    before = sum(len(samples.features) for samples in survey.samples)
    buffer = buffer_after(frames, extractor, survey, views=12, tmp_path=tmp_path)
    assert buffer.count > 2 * before
    known, right = on_wall(buffer, slice(0, before))
    assert known > 0.6
    assert right > 0.9
    known, right = on_wall(buffer, slice(before, buffer.count))
    assert known > 0.7
    assert right > 0.9


@pytest.mark.slow
def test_the_same_survey_finds_the_same(frames, extractor):
    first, second = (surveyed(frames, extractor, most=5).samples for _ in range(2))
    assert len(first) == len(second) == 5
    for one, other in zip(first, second, strict=True):
        assert len(one.features) == 300
        np.testing.assert_array_equal(one.inverse_depths, other.inverse_depths)
        assert torch.equal(one.features, other.features)


@pytest.mark.slow
def test_the_depth_settles_the_same_on_the_few_frames_that_are_asked(
    frames, extractor, monkeypatch
):
    """Once with all frames at hand, once with those beside the asked ones alone."""
    monkeypatch.setattr(stereo_survey, "VIEWS_FOR_DIRECTIONS", 1)
    for module in (division, plain_views, stereo_survey):
        monkeypatch.setattr(module, "FRAMES_ASKED", 1)
    whole = surveyed(frames, extractor, most=9, depth=3 * WALL)
    read = []
    prepare = prepare_view

    def prepare_and_tell(frame, index, **more):
        read.append(index)
        return prepare(frame, index, **more)

    monkeypatch.setattr(view_reader, "prepare_view", prepare_and_tell)
    views = look(sampler_of(frames, extractor), bounds=Bounds(9, 100), few=True)
    assert len(read) == 1
    assert divided(frames, views, depth=3 * WALL).depth == whole.depth < 2 * WALL
    assert len(read) == len(set(read)) < 9
    # The survey of a head alone sees the rest of its frames, and finds what that of all finds.
    alone = Division(whole.depth, 2, (np.array([0, 1, 2]),))
    part = survey_frames(views, poses_of(frames), alone, bounds=Bounds(9, 100))
    assert len(read) == len(set(read))
    assert part.due == whole.due
    of_whole = [samples for samples in whole.samples if samples.frame < 3]
    assert [s.frame for s in part.samples] == [s.frame for s in of_whole] == [0, 2, 1]
    for one, other in zip(part.samples, of_whole, strict=True):
        assert torch.equal(one.features, other.features)
        np.testing.assert_array_equal(one.inverse_depths, other.inverse_depths)


def test_a_survey_that_is_made_again_sees_the_frames_of_the_first(frames, extractor):
    views = look(sampler_of(frames, extractor), bounds=Bounds(9, 100, due=4))
    assert views.due == tuple(views.samples) == spread_of(frames)[:4]
    few = look(sampler_of(frames, extractor), bounds=Bounds(9, 100, due=4), few=True)
    alone = Division(WALL, 2, (np.array([0, 1, 2, 3]),))
    survey = survey_frames(few, poses_of(frames), alone, bounds=Bounds(9, 100, due=4, swept=2))
    assert survey.due == views.due
    assert {s.frame for s in survey.samples} == {0, 1, 2, 3} & set(survey.due)
    assert survey.swept == 2


@pytest.mark.slow
def test_a_survey_ends_at_its_limits(frames, extractor):
    for limits, due, swept in (
        ({"most": 4}, 4, 4),
        ({"most": 6, "swept": 2}, 6, 2),
        ({"most": 6, "swept": 0}, 6, 0),
        ({"most": 9, "time_up": True}, 1, 0),
    ):
        seen = surveyed(frames, extractor, **limits)
        assert (len(seen.due), seen.swept) == (due, swept)


def test_frames_of_one_spot_are_not_drawn_from_beside(frames, extractor, tmp_path):
    """Nothing has a parallax there; homographies have to do."""
    spot = [Frame(f.name, f.image, f.camera, frames[0].world_from_cam) for f in frames[:3]]
    seen = surveyed(spot, extractor, most=3)
    assert seen.swept == 3
    assert seen.inverse_depths == {}
    buffer = buffer_after(spot, extractor, seen, views=3, tmp_path=tmp_path)
    assert not buffer.seen[: buffer.count, 3].any()


def test_few_views_are_swept_like_many(frames, extractor):
    """Directions of features are chosen from as many views as there are."""
    stereo = StereoSurvey(frames, stride=8)
    for number in (3, 4, 5):
        view = prepare_view(frames[number], number, kind="plain", short_side=240, stride=8)
        stereo.add(view, extractor(view.image))
    found = dict(stereo.sweep(depth=WALL))
    assert list(found) == [3, 4, 5]
    values = np.concatenate([f.values.ravel() for f in found.values() if f is not None])
    assert np.isfinite(values).mean() > 0.5


def test_a_view_that_comes_later_is_swept_alone(frames, extractor):
    stereo = StereoSurvey(frames, stride=8)
    for number in (3, 4, 5):
        view = prepare_view(frames[number], number, kind="plain", short_side=240, stride=8)
        stereo.add(view, extractor(view.image))
    all_found, (number, alone) = (
        dict(stereo.sweep(depth=WALL)),
        next(stereo.sweep(depth=WALL, first=2)),
    )
    assert number == 5
    np.testing.assert_array_equal(alone.values, all_found[5].values)
