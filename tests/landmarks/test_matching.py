from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import inverted, look_at, transformed
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.keypoints import Keypoints, unit_descriptors
from reloc.landmarks.landmarks import Landmarks
from reloc.landmarks.matching import (
    FARTHEST,
    RATIO_IN_WINDOW,
    RATIO_OF_ALL,
    SIZE_RATIO,
    LandmarkMatcher,
    seen_keypoints,
)

from .conftest import CAMERA


def landmarks_of(cloud):
    """Every point as the first view that has it shows it; the truth for positions."""
    rows, first = np.unique(np.concatenate(cloud.seen), return_index=True)
    descriptors = unit_descriptors(np.concatenate([k.descriptors for k in cloud.keypoints])[first])
    basis = DescriptorBasis.of(descriptors)
    points = cloud.points[rows]
    center = np.mean([v.world_from_cam[:3, 3] for v in cloud.views], axis=0)
    toward = center - points
    return Landmarks(
        points=points,
        deviations=np.full(len(rows), 0.01, np.float32),
        directions=(toward / np.linalg.norm(toward, axis=1, keepdims=True)).astype(np.float32),
        spreads=np.full(len(rows), 0.3, np.float32),
        sizes=np.full(len(rows), 0.05, np.float32),
        descriptors=basis.codes(descriptors),
        basis=basis,
    ), rows


def right(cloud, view, rows, keys, found):
    return np.mean(cloud.seen[view][keys] == rows[found])


@pytest.fixture(scope="module")
def matcher(cloud):
    own, rows = landmarks_of(cloud)
    return LandmarkMatcher(own), rows


def test_landmarks_are_found_among_all(cloud, matcher):
    found, rows = matcher
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    keys, marks = found.among_all(seen)
    assert len(keys) > 0.9 * len(seen.pixels)
    assert right(cloud, 5, rows, keys, marks) > 0.98
    assert len(np.unique(marks)) == len(marks)


def test_blocks_do_not_change_what_is_found(cloud, matcher, monkeypatch):
    found, _ = matcher
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    whole = found.among_all(seen)
    pose = cloud.views[5].world_from_cam
    near = found.in_windows(seen, pose, CAMERA, window=8)
    monkeypatch.setattr("reloc.landmarks.matching.BLOCK", (7, 11))
    monkeypatch.setattr("reloc.landmarks.matching.PAIRS", 13)
    for one, other in zip(whole, found.among_all(seen), strict=True):
        assert one.tolist() == other.tolist()
    for one, other in zip(near, found.in_windows(seen, pose, CAMERA, window=8), strict=True):
        assert sorted(one.tolist()) == sorted(other.tolist())


def plain_matches(far, *, ratio, limit):
    """Best matches that are mutual, as pairs of rows and columns of squared distances."""
    matches = set()
    for row, line in enumerate(far):
        best, second = np.argsort(line)[:2]
        good = line[best] < ratio**2 * line[second] and line[best] < limit
        if good and far[:, best].argmin() == row:
            matches.add((row, int(best)))
    return matches


def squared_distances(seen, landmarks):
    """Between keypoints and landmarks (K, N), and the limit above which two are not alike."""
    codes = landmarks.descriptors.astype(float)
    far = ((seen.coordinates[:, None].astype(float) - codes) ** 2).sum(axis=2)
    return far, 2 * FARTHEST**2 * codes.var(axis=0).sum()


def pairs(matches):
    return set(zip(*map(np.ndarray.tolist, matches), strict=True))


def test_matches_among_all_are_those_of_a_plain_search(cloud, matcher):
    found, _ = matcher
    seen = seen_keypoints(cloud.keypoints[2], CAMERA, found.landmarks)
    far, limit = squared_distances(seen, found.landmarks)
    expected = plain_matches(far, ratio=RATIO_OF_ALL, limit=limit)
    assert len(expected) > 100
    assert pairs(found.among_all(seen)) == expected


@pytest.mark.parametrize("window", [5, 40])
def test_matches_in_windows_are_those_of_a_plain_search(cloud, matcher, window):
    found, _ = matcher
    pose = cloud.views[5].world_from_cam.copy()
    pose[:3, 3] += (0.01, -0.01, 0.01)
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    rows, pixels, depths = found.visible(pose, CAMERA)
    near = (np.abs(seen.pixels[:, None] - pixels) < window).all(axis=2)
    ratio = seen.sizes[:, None] * depths / (found.landmarks.sizes[rows] * CAMERA.focal)
    near &= (ratio < SIZE_RATIO) & (ratio > 1 / SIZE_RATIO)
    far, limit = squared_distances(seen, found.landmarks)
    far = np.where(near, far[:, rows], np.inf)
    of_marks = plain_matches(far.T, ratio=RATIO_IN_WINDOW, limit=limit)
    expected = {(key, int(rows[mark])) for mark, key in of_marks}
    assert len(expected) > 100
    assert pairs(found.in_windows(seen, pose, CAMERA, window=window)) == expected


def test_landmarks_are_found_where_a_pose_says(cloud, matcher):
    found, rows = matcher
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    pose = cloud.views[5].world_from_cam.copy()
    pose[:3, 3] += (0.01, -0.01, 0.01)
    keys, marks = found.in_windows(seen, pose, CAMERA, window=8)
    assert len(keys) > 0.9 * len(seen.pixels)
    assert right(cloud, 5, rows, keys, marks) > 0.99


def test_a_window_bounds_how_far_a_keypoint_is(cloud, matcher):
    found, _ = matcher
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    pose = cloud.views[5].world_from_cam
    keys, marks = found.in_windows(seen, pose, CAMERA, window=2)
    projected = CAMERA.project(transformed(inverted(pose), found.landmarks.points[marks]))
    assert np.abs(projected - seen.pixels[keys]).max() < 2


def test_a_wrong_pose_finds_next_to_nothing(cloud, matcher):
    found, _ = matcher
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, found.landmarks)
    pose = cloud.views[5].world_from_cam.copy()
    pose[:3, 3] += (0.8, 0.4, 0)
    keys, _ = found.in_windows(seen, pose, CAMERA, window=6)
    assert len(keys) < 0.05 * len(seen.pixels)


def test_what_is_turned_away_or_behind_is_not_visible(cloud, matcher):
    found, _ = matcher
    behind = look_at((0, 0, 12), (0, 0, 4.5), up=(0, -1, 0))
    away = look_at((0, 0, 0), (0, 0, -4.5), up=(0, -1, 0))
    assert len(found.visible(behind, CAMERA)[0]) == 0
    assert len(found.visible(away, CAMERA)[0]) == 0
    assert len(found.visible(cloud.views[3].world_from_cam, CAMERA)[0]) > 200


def test_an_image_of_nothing_shows_no_landmarks(cloud, matcher):
    found, _ = matcher
    nothing = Keypoints(
        np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, 128), np.uint8)
    )
    seen = seen_keypoints(nothing, CAMERA, found.landmarks)
    assert len(found.among_all(seen)[0]) == 0
    pose = cloud.views[3].world_from_cam
    assert len(found.in_windows(seen, pose, CAMERA, window=8)[0]) == 0


def test_a_place_without_landmarks_shows_none(cloud, matcher):
    none = LandmarkMatcher(matcher[0].landmarks.subset(np.zeros(0, np.int64)))
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, none.landmarks)
    assert len(none.among_all(seen)[0]) == 0
    pose = cloud.views[3].world_from_cam
    assert len(none.in_windows(seen, pose, CAMERA, window=8)[0]) == 0


def with_copies(known, points, rows):
    """Landmarks with copies of some of them that look the same at other points (L, 3)."""

    def both(values):
        return np.concatenate([values, values[rows]])

    return replace(
        known,
        points=np.concatenate([known.points, points]),
        deviations=both(known.deviations),
        directions=both(known.directions),
        spreads=both(known.spreads),
        sizes=both(known.sizes),
        descriptors=both(known.descriptors),
    )


def test_twins_are_found_elsewhere_and_not_next_to_it(cloud):
    known = landmarks_of(cloud)[0]
    everyone = np.arange(len(known))
    near = with_copies(known, known.points + (0.01, 0.0, 0.0), everyone)
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, known)
    keys, rows = LandmarkMatcher(known).among_all(seen)
    assert len(LandmarkMatcher(near).elsewhere(seen, keys, rows, apart=1.0)[0]) < 0.05 * len(keys)
    some = everyone[::2]
    far = with_copies(near, known.points[some] + (40.0, 0.0, 0.0), some)
    found, twins = LandmarkMatcher(far).elsewhere(seen, keys, rows, apart=1.0)
    doubled = np.isin(rows, some)
    assert set(keys[doubled]) <= set(found)
    of_key = dict(zip(keys.tolist(), rows.tolist(), strict=True))
    copies = [t for k, t in zip(found.tolist(), twins.tolist(), strict=True) if of_key[k] % 2 == 0]
    own = [of_key[k] for k in found.tolist() if of_key[k] % 2 == 0]
    np.testing.assert_allclose(far.points[copies], far.points[own] + (40.0, 0.0, 0.0))
