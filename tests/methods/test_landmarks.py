"""From how many frames landmarks are made, and when none are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.landmarks.building import (
    LandmarkCounts,
    ObservedLandmarks,
    landmarks_of,
    matched_frames,
)
from reloc.methods import landmarks
from reloc.methods.landmarks import (
    MadeLandmarks,
    landmark_frames,
    landmark_seconds,
    make_landmarks,
)
from reloc.scenes.scene import Frame

from ..maps.test_landmark_tensors import made_landmarks
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
    monkeypatch.setattr(landmarks, "matched_frames", None)
    made, scene_map = make_landmarks(FRAMES, depth=1, options=LandmarkOptions(count=0)), made_map()
    assert made.added_to(scene_map) is scene_map


def test_landmarks_are_made_of_all_frames_and_measured_by_others(wall_frames):
    """Of one pass over the photos: those to measure by are what the others alone give."""
    held_back = wall_frames[4:6]
    others = [frame for frame in wall_frames if frame not in held_back]
    made = make_landmarks(wall_frames, depth=3, options=FEW, held_back=held_back)
    everything, _ = build_landmarks(wall_frames, depth=3, options=FEW)
    assert np.array_equal(made.landmarks.points, everything.points)
    assert made.told["frames"] == len(wall_frames)
    measuring = made.without(held_back[0])
    assert measuring is made.without(held_back[1])
    matched = matched_frames(wall_frames, depth=3, options=FEW)
    alone = landmarks_of(matched.without([f.name for f in held_back]), options=FEW)
    assert np.array_equal(measuring.points, alone.landmarks.points)
    shown = {alone.frames[row].name for row in alone.observations[:, 1]}
    assert shown == {frame.name for frame in others}


def test_a_frame_is_left_out_of_the_landmarks_that_only_it_confirms(wall_frames):
    """Of landmarks that a frame and another one show, none is left for it."""
    landmarks, counts = made_landmarks(count=3), LandmarkCounts(3, 9, 9, 3, 3)
    # The first landmark is seen by all three, the others by two.
    seen = np.array([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 1), (2, 2)])
    observed = ObservedLandmarks(landmarks, counts, seen, tuple(wall_frames[:3]))
    made = MadeLandmarks(landmarks, {}, observed=observed)
    assert [len(made.without(frame)) for frame in wall_frames[:3]] == [2, 1, 2]
    assert MadeLandmarks().without(wall_frames[0]) is None


def test_a_map_whose_time_is_too_short_says_so():
    landmarks = make_landmarks(FRAMES, depth=1, options=LandmarkOptions(), time_limit=0.8)
    made = landmarks.added_to(made_map())
    assert made.landmarks is None
    assert (made.info["landmarks"]["frames"], made.info["landmarks"]["kept"]) == (0, 0)
