"""From how many frames landmarks are made, and when none are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.landmarks import LandmarkOptions
from reloc.methods import landmarks
from reloc.methods.landmarks import (
    has_landmarks_of,
    landmark_frames,
    landmark_seconds,
    make_landmarks,
)
from reloc.scenes.scene import Frame

from ..maps.test_scene_map import made_map

CAMERA = Camera("SIMPLE_PINHOLE", 600, 480, (540.0, 300.0, 240.0))
FEW = LandmarkOptions(count=50)
# A frame of 0.288 million pixels takes 0.0688 s.
FRAMES = tuple(Frame(str(n), Path(str(n)), CAMERA, np.eye(4)) for n in range(1000))


@pytest.mark.parametrize(
    ("time_limit", "count"), [(None, 1000), (3600.0, 1000), (137.7, 500), (0.83, 3), (0.82, 0)]
)
def test_a_shorter_time_limit_means_fewer_frames_on_every_machine(time_limit, count):
    assert len(landmark_frames(FRAMES, time_limit)) == count


def test_time_is_planned_for_the_frames_that_are_used():
    assert landmark_seconds(FRAMES[:10], 3600.0) == pytest.approx(0.688)
    assert landmark_seconds(FRAMES, 137.7) == pytest.approx(34.4)
    unposed = tuple(replace(frame, world_from_cam=None) for frame in FRAMES)
    assert landmark_seconds(unposed, 240.0) == 0


def test_large_images_cost_what_is_looked_at_of_them():
    large = replace(FRAMES[0], camera=CAMERA.resized(6000, 4800))
    half = replace(FRAMES[0], camera=CAMERA.resized(1200, 960))
    assert landmark_seconds([large] * 10, 600.0) == pytest.approx(
        landmark_seconds([half] * 10, 600.0)
    )


def test_a_map_keeps_none_where_none_are_wanted(monkeypatch):
    monkeypatch.setattr(landmarks, "observed_landmarks", None)
    made, scene_map = make_landmarks(FRAMES, depth=1, options=LandmarkOptions(count=0)), made_map()
    assert made.added_to(scene_map) is scene_map


@pytest.fixture(scope="module")
def draft(wall_frames):
    """A map with landmarks of half of the frames."""
    return make_landmarks(wall_frames[::2], depth=3, options=FEW).added_to(made_map())


def test_landmarks_of_the_same_frames_are_taken_over(draft, wall_frames, monkeypatch):
    monkeypatch.setattr(landmarks, "observed_landmarks", None)
    made = make_landmarks(wall_frames[::2], depth=3, options=FEW, earlier=draft)
    again = made.added_to(made_map())
    assert again.landmarks is draft.landmarks
    assert again.info["landmarks"]["kept"] == len(draft.landmarks) == 50
    # Those of all frames serve where there is time for a few of them only.
    assert has_landmarks_of(draft, wall_frames[::2], FEW, time_limit=2.0)


def test_landmarks_of_anything_else_are_not(draft, wall_frames):
    def same(scene_map, frames=wall_frames[::2], options=FEW):
        return has_landmarks_of(scene_map, frames, options, time_limit=None)

    moved = wall_frames[0].world_from_cam.copy()
    moved[0, 3] += 1e-9
    assert same(draft)
    assert not same(draft, frames=wall_frames)
    assert not same(
        draft, frames=[replace(wall_frames[0], world_from_cam=moved), *wall_frames[2::2]]
    )
    assert not same(draft, options=replace(FEW, count=49))
    assert not same(replace(draft, landmarks=None))
    assert not same(replace(draft, landmarks=draft.landmarks.subset(np.arange(9))))
    assert not same(replace(draft, info={"landmarks": "many"}))
    assert not same(replace(draft, info={**draft.info, "bits": 4}))


def test_a_map_whose_time_is_too_short_says_so():
    landmarks = make_landmarks(FRAMES, depth=1, options=LandmarkOptions(), time_limit=0.8)
    made = landmarks.added_to(made_map())
    assert made.landmarks is None
    assert (made.info["landmarks"]["frames"], made.info["landmarks"]["kept"]) == (0, 0)
