import sys
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import inverted
from reloc.landmarks.tracks import join_tracks
from reloc.landmarks.triangulation import TriangulationOptions, triangulate


def tracks_of(cloud, *, wrong=0.0, seed=0):
    """Tracks by the truth, of which a share of the matches joins another keypoint."""
    rng = np.random.default_rng(seed)
    matches = {}
    for a in range(len(cloud.views)):
        for b in range(a + 1, min(a + 3, len(cloud.views))):
            _, of_a, of_b = np.intersect1d(cloud.seen[a], cloud.seen[b], return_indices=True)
            rows = np.stack([of_a, of_b], axis=1)
            off = rng.random(len(rows)) < wrong
            rows[off, 1] = rng.permutation(rows[off, 1])
            matches[a, b] = rows
    # All keypoints at one place: no track is parted.
    places = [np.zeros((len(k), 2), np.float32) for k in cloud.keypoints]
    confirmed = {pair: np.ones(len(rows), np.int64) for pair, rows in matches.items()}
    return join_tracks(matches, confirmed, places), matches


def solved(cloud, tracks, **options):
    rays = np.concatenate([v.rays for v in cloud.views])
    begins = np.concatenate([[0], np.cumsum([len(v.rays) for v in cloud.views])])
    poses = inverted(np.array([v.world_from_cam for v in cloud.views]))
    focals = np.array([v.focal for v in cloud.views])
    return triangulate(
        tracks,
        rays[begins[tracks.views] + tracks.keypoints],
        poses,
        focals,
        options=TriangulationOptions(**options),
    )


def truth(cloud, tracks):
    """The point that most observations of each track show."""
    shown = np.array(
        [cloud.seen[v][k] for v, k in zip(tracks.views, tracks.keypoints, strict=True)]
    )
    return np.array([np.bincount(shown[tracks.track == t]).argmax() for t in range(tracks.count)])


def test_points_are_where_they_are(cloud):
    tracks, _ = tracks_of(cloud)
    found = solved(cloud, tracks)
    errors = np.linalg.norm(found.points - cloud.points[truth(cloud, tracks)], axis=1)
    assert found.good.mean() > 0.9
    assert np.median(errors[found.good]) < 0.01
    assert found.agrees.mean() > 0.9


def test_the_covariance_says_how_far_off_they_are(cloud_of):
    cloud = cloud_of(noise=0.5, seed=2)
    tracks, _ = tracks_of(cloud)
    found = solved(cloud, tracks)
    off = (found.points - cloud.points[truth(cloud, tracks)])[found.good]
    normal = np.linalg.inv(0.5**2 * found.covariances[found.good])
    square = np.einsum("ti,tij,tj->t", off, normal, off)
    assert 0.6 < np.median(square) / 2.366 < 1.6  # the median of chi-square of three


def test_points_of_tracks_with_wrong_matches_are_found(cloud):
    tracks, _ = tracks_of(cloud, wrong=0.05)
    found = solved(cloud, tracks)
    right = cloud.points[truth(cloud, tracks)]
    errors = np.linalg.norm(found.points - right, axis=1)[found.good]
    assert found.good.sum() > 50
    assert np.quantile(errors, 0.8) < 0.03


def test_a_view_agrees_with_one_keypoint_of_a_track(cloud):
    tracks, _ = tracks_of(cloud, wrong=0.1)
    found = solved(cloud, tracks)
    own = np.stack([tracks.track, tracks.views], axis=1)[found.agrees]
    assert len(np.unique(own, axis=0)) == len(own)


def test_parallel_rays_make_no_points(cloud):
    tracks, _ = tracks_of(cloud)
    found = solved(cloud, tracks, least_angle_deg=60.0)
    assert not found.good.any()
    assert not found.agrees.any()


def test_it_agrees_with_pycolmap(cloud):
    pytest.importorskip("pycolmap")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        from triangulation import triangulate as by_pycolmap
    finally:
        sys.path.pop(0)
    tracks, matches = tracks_of(cloud)
    found = solved(cloud, tracks)
    poses = inverted(np.array([v.world_from_cam for v in cloud.views]))
    points, rows = by_pycolmap(
        [cloud.camera] * len(poses), poses, [k.pixels for k in cloud.keypoints], matches
    )
    theirs = np.array([rows[v][k] for v, k in zip(tracks.views, tracks.keypoints, strict=True)])
    both = found.agrees & (theirs >= 0)
    apart = np.linalg.norm(found.points[tracks.track[both]] - points[theirs[both]], axis=1)
    assert both.sum() > 0.8 * found.agrees.sum()
    assert np.median(apart) < 2e-3
    assert found.good.sum() > 0.9 * len(points)
