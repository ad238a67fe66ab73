"""Tracks of landmarks: the keypoints of the photos that show them."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.images.files import read_image
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.reconstruct.landmark_tracks import landmark_tracks


@pytest.fixture(scope="module")
def landmarks(wall_frames):
    made, _ = build_landmarks(wall_frames, depth=3.0, options=LandmarkOptions(count=300))
    return made


def test_landmarks_are_seen_where_their_keypoints_are(landmarks, wall_frames):
    points = landmark_tracks(landmarks, wall_frames)
    assert 0.9 * len(landmarks) < len(points) <= len(landmarks)
    errors = points.errors(wall_frames)
    # What is measured is not where a point would be seen.
    assert 0.01 < np.median(errors) < 1
    assert errors.max() < 4.5
    lengths = np.bincount(np.concatenate([points.seen_by(f).points for f in wall_frames]))
    assert lengths.min() >= 2
    assert np.median(lengths) >= 3


@pytest.mark.slow
def test_they_have_the_colors_of_the_photos(landmarks, wall_frames):
    points = landmark_tracks(landmarks, wall_frames)
    frame = wall_frames[4]
    seen = points.seen_by(frame)
    columns, lines = seen.pixels.astype(int).T
    own = read_image(frame.image)[lines, columns].astype(float)
    assert np.abs(points.rgb[seen.points] - own).mean() < 20


@pytest.mark.slow
def test_photos_that_cannot_be_used_show_none(landmarks, wall_frames):
    bad = [
        replace(wall_frames[0], image=wall_frames[0].image.with_name("none.png")),
        replace(wall_frames[1], camera=wall_frames[1].camera.resized(160, 120)),
    ]
    points = landmark_tracks(landmarks, [*bad, *wall_frames[2:]])
    assert all(len(points.seen_by(frame).points) == 0 for frame in bad)
    assert len(points) > 100
    assert len(landmark_tracks(landmarks, bad)) == 0


@pytest.mark.slow
def test_points_of_two_kinds_keep_their_tracks(landmarks, wall_frames):
    one = landmark_tracks(landmarks, wall_frames)
    both = one.joined(one)
    assert len(both) == 2 * len(one)
    np.testing.assert_array_equal(both.errors(wall_frames), np.tile(one.errors(wall_frames), 2))
