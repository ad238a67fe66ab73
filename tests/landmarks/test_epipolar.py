from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import look_at
from reloc.landmarks.epipolar import MatchOptions, epipolar_matches
from reloc.landmarks.keypoints import unit_descriptors


def right_share(cloud, a, b, rows):
    return np.mean(cloud.seen[a][rows[:, 0]] == cloud.seen[b][rows[:, 1]])


def plain_matches(a, b, *, tolerance, ratio):
    """The same by the essential matrix and a full matrix of distances."""
    b_from_a = np.linalg.inv(b.world_from_cam) @ a.world_from_cam
    x, y, z = b_from_a[:3, 3] / np.linalg.norm(b_from_a[:3, 3])
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ b_from_a[:3, :3]
    ones = np.ones(len(a.rays))
    lines = np.c_[a.rays, ones] @ essential.T
    off = np.abs(np.c_[b.rays, np.ones(len(b.rays))] @ lines.T).T
    off /= np.linalg.norm(lines[:, :2], axis=1)[:, None]
    cosines = unit_descriptors(a.descriptors) @ unit_descriptors(b.descriptors).T
    cosines[off * b.focal > tolerance] = -1
    best = np.sort(cosines, axis=1)[:, ::-1]
    top = cosines.argmax(axis=1)
    good = (1 - best[:, 0] < ratio**2 * (1 - best[:, 1])) & (
        cosines.argmax(axis=0)[top] == np.arange(len(top))
    )
    return {(int(i), int(top[i])) for i in np.flatnonzero(good)}


def test_keypoints_of_one_point_are_matched(cloud):
    common = len(np.intersect1d(cloud.seen[2], cloud.seen[3]))
    rows = epipolar_matches(cloud.views[2], cloud.views[3], options=MatchOptions())
    assert len(rows) > 0.9 * common
    assert right_share(cloud, 2, 3, rows) > 0.99


def test_it_agrees_with_a_full_comparison(cloud):
    a, b = cloud.views[1], cloud.views[4]
    options = MatchOptions(tolerance=3.0, ratio=0.85, distance=2.0)
    found = {(int(i), int(j)) for i, j in epipolar_matches(a, b, options=options)}
    plain = plain_matches(a, b, tolerance=3.0, ratio=0.85)
    # Near the tolerance an angle around the baseline and a distance from a line differ.
    assert len(found ^ plain) <= 0.03 * len(plain)


def test_points_that_look_alike_are_told_apart_by_their_lines(cloud):
    """All descriptors equal in pairs of points: a full comparison passes no ratio test."""
    a, b = cloud.views[2], cloud.views[3]
    twins = [
        replace(v, descriptors=cloud.keypoints[0].descriptors[seen % 40])
        for v, seen in ((a, cloud.seen[2]), (b, cloud.seen[3]))
    ]
    rows = epipolar_matches(*twins, options=MatchOptions())
    assert len(rows) > 50
    assert right_share(cloud, 2, 3, rows) > 0.8


@pytest.mark.parametrize("turn", [(0, 0, 1), (0, 0, -1), (0.1, 0, 1)])
def test_an_epipole_in_the_image_does_no_harm(cloud_of, turn):
    cloud = cloud_of(points=600, views=2, seed=3)
    ahead = look_at(np.array((0, 0, 0)) + 0.5 * np.array(turn), (0, 0, 4.5), up=(0, -1, 0))
    behind = look_at((0, 0, 0), (0, 0, 4.5), up=(0, -1, 0))
    found = []
    for pose in (behind, ahead):
        local = (cloud.points - pose[:3, 3]) @ pose[:3, :3]
        rays = local[:, :2] / local[:, 2:]
        descriptors = cloud.keypoints[0].descriptors
        count = min(len(rays), len(descriptors))
        found.append(
            replace(
                cloud.views[0],
                world_from_cam=pose,
                rays=rays[:count],
                descriptors=descriptors[:count],
            )
        )
    rows = epipolar_matches(*found, options=MatchOptions())
    assert len(rows) > 0.8 * count
    assert np.mean(rows[:, 0] == rows[:, 1]) > 0.99


def test_points_behind_or_too_near_are_not_matched(cloud):
    a, b = cloud.views[2], cloud.views[3]
    near = epipolar_matches(a, b, options=MatchOptions(least_depth=100.0))
    swapped = replace(b, world_from_cam=2 * a.world_from_cam - b.world_from_cam)
    swapped.world_from_cam[:3, :3] = b.world_from_cam[:3, :3]
    assert len(near) == 0
    assert len(epipolar_matches(a, swapped, options=MatchOptions())) < 20


def test_views_from_one_spot_have_no_lines(cloud):
    a = cloud.views[0]
    turned = replace(cloud.views[3], world_from_cam=a.world_from_cam)
    assert epipolar_matches(a, turned, options=MatchOptions()).shape == (0, 2)


def test_nothing_to_match(cloud):
    a = cloud.views[0]
    nothing = replace(cloud.views[1], rays=np.zeros((0, 2)), descriptors=a.descriptors[:0])
    assert epipolar_matches(a, nothing, options=MatchOptions()).shape == (0, 2)
    assert epipolar_matches(nothing, a, options=MatchOptions()).shape == (0, 2)
