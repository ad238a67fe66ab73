"""Landmarks of captures with something wrong: what does not fit is left out and counted."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc.geometry import pose_from, rotation_from_vector
from reloc.landmarks.building import LandmarkOptions, build_landmarks

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("keypoints_once")]
OPTIONS = LandmarkOptions(count=2000)


def built(frames):
    return build_landmarks(frames, depth=3.0, options=OPTIONS)


@pytest.fixture(scope="module")
def good(wall_frames):
    return built(wall_frames)


def moved(frame, rng, *, distance, degrees):
    """The frame with a pose that is off by so much."""
    turn, shift = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    off = pose_from(rotation_from_vector(np.radians(degrees) * turn), distance * shift)
    return replace(frame, world_from_cam=frame.world_from_cam @ off)


def of_wall(landmarks):
    """How far landmarks are from the wall."""
    return np.abs(landmarks.points[:, 2] - 3)


def test_poses_off_by_centimetres_leave_fewer_landmarks_and_few_wild_ones(good, wall_frames):
    rng = np.random.default_rng(0)
    frames = [moved(f, rng, distance=0.02, degrees=0.5) for f in wall_frames]
    landmarks, counts = built(frames)
    whole, before = good
    # Half a degree are 2.6 pixels, as many as keypoints may be off.
    assert counts.matches < 0.8 * before.matches
    assert counts.confirmed < 0.95 * counts.matches
    assert counts.points < 0.9 * before.points
    assert counts.kept == len(landmarks) > 1000
    # A pixel is a centimetre there.
    assert np.median(of_wall(landmarks)) < 0.04
    assert np.quantile(of_wall(landmarks), 0.95) < 0.25
    # How sure they are of themselves tells that something is wrong.
    assert np.median(landmarks.deviations) > 1.2 * np.median(whole.deviations)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_with_a_wrong_focal_length_the_place_is_deeper_or_shallower(wall_frames, factor):
    frames = []
    for frame in wall_frames:
        focal, cx, cy, k = frame.camera.params
        wrong = replace(frame.camera, params=(factor * focal, cx, cy, k))
        frames.append(replace(frame, camera=wrong))
    landmarks, _ = built(frames)
    assert len(landmarks) == 2000
    depths = landmarks.points[:, 2] / factor
    assert np.abs(np.median(depths) - 3) < 0.15
    assert np.quantile(np.abs(depths - np.median(depths)), 0.95) < 0.05


@pytest.mark.parametrize("copies", [2, 3])
def test_duplicates_change_nothing(wall_frames, copies):
    """A copy agrees with a match that is wrong as well as with a right one."""
    few = wall_frames[::4]
    landmarks, counts = built([frame for frame in few for _ in range(copies)])
    once, before = built(few)
    assert counts.views == copies * len(few)
    assert counts.points == before.points > 500
    order, same = (np.lexsort(found.points.T.round(6)) for found in (landmarks, once))
    np.testing.assert_allclose(landmarks.points[order], once.points[same], atol=1e-6)


def test_copies_of_two_photos_are_two_photos(wall_frames):
    landmarks, counts = built([*[wall_frames[0]] * 3, *[wall_frames[1]] * 3])
    assert counts.matches > 1000
    assert counts.confirmed == len(landmarks) == 0


def test_photos_without_anything_in_common(wall_frames, tmp_path):
    frames = []
    for number, frame in enumerate(wall_frames):
        noise = np.random.default_rng(number).normal(127, 60, (240, 320))
        image = cv2.GaussianBlur(noise, (0, 0), 2).clip(0, 255)
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), (127 + 6 * (image - 127)).clip(0, 255).astype(np.uint8))
        frames.append(replace(frame, image=path))
    landmarks, counts = built(frames)
    assert counts.views == len(frames)
    # What matches by chance no third view confirms.
    assert counts.confirmed < 0.1 * counts.matches
    assert len(landmarks) == counts.kept < 60
