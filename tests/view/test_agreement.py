"""The landmarks that agree with a pose, and how an overlay marks them."""

import numpy as np
import pytest

from reloc.geometry import inverted, transformed
from reloc.images.files import read_image
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.localize import Estimate
from reloc.view.agreement import agreeing_landmarks
from reloc.view.ground import Ground
from reloc.view.overlay import LANDMARK_COLOR, Overlay

NOTHING = Ground(up=np.array([0.0, -1, 0]), across=np.eye(3)[::2], spots=np.zeros((0, 3)))


@pytest.fixture(scope="module")
def matcher(wall_frames):
    made, _ = build_landmarks(wall_frames, depth=3.0, options=LandmarkOptions(count=300))
    return LandmarkMatcher(made)


@pytest.fixture
def frame(wall_frames):
    return wall_frames[4]


def shifted(pose, by):
    moved = pose.copy()
    moved[0, 3] += by
    return moved


@pytest.mark.slow
def test_keypoints_are_where_the_pose_puts_their_landmarks(matcher, frame):
    photo = read_image(frame.image)
    pixels, rows = agreeing_landmarks(matcher, photo, frame.world_from_cam, frame.camera)
    assert len(rows) == len(set(rows)) > 60
    local = transformed(inverted(frame.world_from_cam), matcher.landmarks.points[rows])
    errors = np.linalg.norm(frame.camera.project(local) - pixels, axis=1)
    # Four pixels of an image twice as large.
    assert np.median(errors) < 0.7
    assert errors.max() < 2
    wrong = shifted(frame.world_from_cam, 0.3)
    assert len(agreeing_landmarks(matcher, photo, wrong, frame.camera)[1]) < 0.2 * len(rows)


@pytest.mark.slow
def test_an_overlay_has_a_cross_at_each_and_tells_their_number(matcher, frame):
    photo = read_image(frame.image)
    pose = frame.world_from_cam
    pixels, rows = agreeing_landmarks(matcher, photo, pose, frame.camera)
    none = np.zeros((0, 3))
    overlay = Overlay(none, none.astype(np.uint8), NOTHING, 3.0, matcher)

    def drawn(world_from_cam, count):
        estimate = Estimate("a", True, world_from_cam, landmark_inliers=count, confidence=0.9)
        return overlay.drawn(photo, frame.camera, estimate)

    picture, wrong = drawn(pose, len(rows)), drawn(shifted(pose, 0.3), len(rows))
    above = pixels[:, 1] < 200
    columns, lines = np.floor(pixels[above]).astype(int).T
    marked = np.abs(picture[lines, columns].astype(int) - LANDMARK_COLOR).max(axis=1) < 60
    assert marked.mean() > 0.9
    assert (wrong[:200] > 200).all(axis=2).sum() < (picture[:200] > 200).all(axis=2).sum()
    # The line below says how many they are.
    assert (picture[-20:] != drawn(pose, 0)[-20:]).any()
