"""The pictures of the film, small."""

import cv2
import numpy as np
import pytest

from reloc.evaluation import evaluate
from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.localize import Estimate
from reloc.reconstruct.point_cloud import PointCloud
from reloc.scenes import Frame
from reloc.view.film import film_frames, script
from reloc.view.film.arrivals import MOST_RAYS, arrivals_of
from reloc.view.film.draw import backdrop, draw_points, draw_pyramid, draw_rays
from reloc.view.film.recording import Recording, Snapshot
from reloc.view.film.stage import Stage
from reloc.view.placement import placed

CAMERA = Camera.pinhole(width=96, height=72, fx=80)
SIZE = (160, 90)
RED, GREEN = (230, 20, 30), (20, 220, 40)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for part in ("GROWING", "SHARPENING", "ARRIVING", "RESTING"):
        monkeypatch.setattr(script, part, 0.16)


@pytest.fixture
def frames(tmp_path):
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((72, 96, 3), 90, np.uint8))
    return tuple(
        Frame(f"{n}.png", tmp_path / "a.png", CAMERA, look_at((n / 4, -4, 0.2), (0, 0, 0)))
        for n in range(4)
    )


def wall(color=RED, count=4000):
    """Points of the wall y = 0, seen from the side of the cameras."""
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(-2, 2, count), np.zeros(count), rng.uniform(-1, 1, count)]
    normals = np.tile(np.array([0, -1, 0], np.float32), (count, 1))
    return PointCloud(points, np.tile(np.uint8(color), (count, 1)), normals)


def grown():
    cloud = wall(GREEN, 500)
    noise = np.random.default_rng(1).normal(size=cloud.points.shape)
    snapshots = tuple(Snapshot(k, k / 2, 10 * k, 9.0 - k, 30.0 - k, k / 2) for k in range(3))
    points = np.stack([cloud.points + noise * (2 - k) for k in range(3)]).astype(np.float16)
    eyes = np.tile([0.0, -4, 0], (500, 1))
    return Recording(points, np.zeros(3), 1.0, cloud.colors, eyes, snapshots)


def share(picture, color):
    return (np.abs(picture.astype(int) - color).max(axis=2) < 12).mean()


def estimates(frames, shift):
    found = []
    for frame in frames:
        pose = frame.world_from_cam.copy()
        pose[0, 3] += shift
        found.append(Estimate(frame.name, True, pose, inliers=50, confidence=1.0))
    return evaluate(
        found, frames, scene_extent=2.0, map_bytes=0, mapping_seconds=None, unit="metre"
    )


def test_a_film_grows_sharpens_and_ends_with_the_queries(frames):
    told = []
    pictures = list(
        film_frames(
            title="a place",
            mapping=frames,
            cloud=wall(),
            recording=grown(),
            evaluation=estimates(frames, 0.1),
            queries=frames,
            size=SIZE,
            progress=lambda stage, done, total, **_: told.append((done, total)),
        )
    )
    assert told == [(n, 16) for n in range(1, 17)]
    assert all(p.shape == (90, 160, 3) and p.dtype == np.uint8 for p in pictures)
    # The green cells of the recording give way to the red points of the cloud.
    assert share(pictures[3], GREEN) > 0.02 > share(pictures[3], RED)
    assert share(pictures[7], RED) > 0.05 > share(pictures[7], GREEN)
    assert not np.array_equal(pictures[8], pictures[-1])


def test_without_recording_and_queries_the_film_shows_the_points(frames):
    pictures = list(film_frames(title="a", mapping=frames, cloud=wall(), size=SIZE))
    assert len(pictures) == 8
    assert share(pictures[0], RED) == 0
    assert share(pictures[-1], RED) > 0.05


def test_an_empty_cloud_and_lost_queries_are_no_error(frames):
    lost = [Estimate(f.name, False, None, reason="dark") for f in frames]
    evaluation = evaluate(lost, frames, scene_extent=0.0, map_bytes=0, mapping_seconds=None)
    empty = PointCloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.float32))
    pictures = film_frames(
        title="x" * 99,
        mapping=frames,
        cloud=empty,
        evaluation=evaluation,
        queries=frames,
        size=SIZE,
    )
    assert len(list(pictures)) == 12


def test_errors_have_the_colors_of_the_scale(frames):
    good, bad = (
        arrivals_of(estimates(frames, shift), frames, None)[0].color for shift in (0.005, 0.9)
    )
    assert good[1] > good[0]
    assert bad[0] > bad[1]


def test_the_last_figures_are_those_of_the_evaluation(frames, monkeypatch):
    """Of an even number of queries, of which the film shows but some."""
    errors = (0.001, 0.002, 0.004, 0.3)
    found = []
    for frame, error in zip(frames, errors, strict=True):
        pose = frame.world_from_cam.copy()
        pose[0, 3] += error
        found.append(Estimate(frame.name, True, pose))
    evaluation = evaluate(
        found, frames, scene_extent=2.0, map_bytes=0, mapping_seconds=None, unit="metre"
    )
    assert evaluation.median_translation == pytest.approx(0.003)
    told = []
    monkeypatch.setattr(
        "reloc.view.film.captions.Caption.figures",
        lambda self, values: told.append([v for v, _ in values]),
    )
    monkeypatch.setattr("reloc.view.film.arrivals.MOST_QUERIES", 2)
    pictures = film_frames(
        title="a", mapping=frames, cloud=wall(), evaluation=evaluation, queries=frames, size=SIZE
    )
    assert len(list(pictures)) == 12
    assert told[4] == ["1 of 4", "100 %", "0.100 cm"]
    assert told[-1] == ["4 of 4", "75 %", "0.300 cm"]


@pytest.mark.slow
def test_rays_go_to_the_landmarks_that_decided_a_pose(wall_frames):
    landmarks, _ = build_landmarks(wall_frames, depth=3.0, options=LandmarkOptions(count=300))
    queries = wall_frames[3:5]
    found = [
        Estimate(frame.name, True, frame.world_from_cam, landmark_inliers=count)
        for frame, count in zip(queries, (200, 0), strict=True)
    ]
    evaluation = evaluate(
        found, queries, scene_extent=2.0, map_bytes=0, mapping_seconds=None, unit="metre"
    )
    first, second = arrivals_of(evaluation, queries, landmarks)
    assert 40 < len(first.landmarks) <= MOST_RAYS
    np.testing.assert_allclose(first.landmarks[:, 2], 3, atol=0.1)
    assert len(second.landmarks) == 0
    camera, pose = Camera.pinhole(width=160, height=90, fx=99), look_at((0, -6, 1), (0, 0, 1))
    picture = np.zeros((90, 160, 3), np.uint8)
    draw_rays(picture, camera, pose, np.zeros(3), first.landmarks, color=RED, strength=0.5)
    assert (picture[..., 0] > 100).any()
    for x, y in np.floor(camera.project(transformed(inverted(pose), first.landmarks))).astype(int):
        assert picture[y, x, 0] > 30
    away = np.zeros_like(picture)
    draw_rays(away, camera, pose, np.array([0, -9.0, 0]), first.landmarks, color=RED, strength=1)
    assert not away.any()


def test_the_camera_keeps_the_place_in_the_middle_and_upright(frames):
    cloud = wall()
    poses = np.array([f.world_from_cam for f in frames])
    camera = Camera.pinhole(width=160, height=90, fx=99)
    stage = Stage.of(placed(cloud.points, poses), cloud.points, cloud.normals, poses, camera)
    for part in (0.0, 0.5, 1.0):
        pose = stage.pose(part)
        pixels = camera.project(transformed(inverted(pose), cloud.points))
        assert ((pixels > 0) & (pixels < SIZE)).all(axis=1).mean() > 0.95
        low, high = np.percentile(pixels, [3, 97], axis=0)
        np.testing.assert_allclose((low + high) / 2, np.divide(SIZE, 2), atol=12)
        # As large as the captions allow.
        assert ((high - low) / SIZE).max() > 0.45
        # From above, and from the side that the photographers stood on.
        assert pose[2, 3] > 0.5
        assert pose[1, 3] < 0
        assert -pose[2, 1] > 0.5


def test_points_that_face_away_are_not_drawn():
    cloud = wall()
    camera = Camera.pinhole(width=160, height=90, fx=99)
    pose = look_at((0, -6, 1), (0, 0, 0))
    seen, hidden = (
        draw_points(cloud.points, cloud.colors, side * cloud.normals, camera, pose, radius=0.05)
        for side in (1, -1)
    )
    assert share(seen, RED) > 0.1
    np.testing.assert_array_equal(hidden, backdrop(160, 90))


def test_a_pyramid_is_drawn_where_the_camera_stands():
    camera = Camera.pinhole(width=160, height=90, fx=99)
    pose = look_at((0, -6, 0), (0, 0, 0))
    image = np.zeros((90, 160, 3), np.uint8)
    draw_pyramid(image, camera, pose, of=CAMERA, at=np.eye(4), size=0.5, color=RED)
    rows, columns = np.nonzero(image.any(axis=2))
    assert abs(columns.mean() - 80) < 6
    assert abs(rows.mean() - 45) < 12
    behind = np.zeros_like(image)
    at = np.eye(4)
    at[1, 3] = -7
    draw_pyramid(behind, camera, pose, of=CAMERA, at=at, size=0.5, color=RED)
    assert not behind.any()
