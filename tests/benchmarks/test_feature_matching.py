"""The reference must be a strong one: precise where there is texture, lost where nothing helps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from reloc.evaluation.metrics import evaluate
from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.scenes import Frame, Scene, open_scene


@pytest.fixture
def reference(script: Callable[[str], ModuleType]) -> ModuleType:
    pytest.importorskip("pycolmap")
    return script("feature_matching")


@pytest.fixture(scope="module")
def room(made_scene: Callable[..., Path]) -> Scene:
    return open_scene(made_scene(mapping=40, queries=6, width=320, height=240))


def without_pixels(frame: Frame, folder: Path) -> Frame:
    path = folder / f"grey{Path(frame.name).name}"
    cv2.imwrite(str(path), np.full((240, 320), 128, np.uint8))
    return replace(frame, image=path)


@pytest.mark.slow
def test_localizes_in_a_textured_room(reference: ModuleType, room: Scene) -> None:
    reference_map = reference.map_by_matching(room)
    estimates = [reference.localize(reference_map, frame) for frame in room.queries]
    result = evaluate(
        estimates,
        room.queries,
        scene_extent=room.extent(),
        map_bytes=reference_map.stored_bytes,
        mapping_seconds=reference_map.seconds,
        unit=room.unit,
    )
    assert len(reference_map.points) > 500
    assert result.median_translation < 0.03
    assert result.median_rotation_deg < 1.0
    assert result.localized >= 4
    assert set(estimates[0].seconds) == {"read", "features", "matching", "pose"}
    # 128 bytes of descriptor, 8 of position and 4 of point per keypoint, 24 per point.
    keypoints = sum(len(f.pixels) for f in reference_map.features)
    assert reference_map.stored_bytes == 140 * keypoints + 24 * len(reference_map.points)


@pytest.mark.slow
def test_the_unit_of_length_and_the_origin_do_not_matter(
    reference: ModuleType, room: Scene
) -> None:
    def moved(frame: Frame) -> Frame:
        pose = frame.world_from_cam.copy()
        pose[:3, 3] += (4e5, -3e6, 100.0)
        return replace(frame, world_from_cam=pose)

    few = replace(room, mapping=room.mapping[:8], queries=room.mapping[3:4])
    far = replace(few, mapping=tuple(map(moved, few.mapping)), queries=(moved(few.queries[0]),))
    for scene, factor in ((few, 1.0), (few.scaled(100.0), 100.0), (far, 1.0)):
        estimate = reference.localize(reference.map_by_matching(scene), scene.queries[0])
        truth = scene.queries[0].world_from_cam
        assert estimate.localized
        assert np.linalg.norm((estimate.world_from_cam - truth)[:3, 3]) < 0.05 * factor


@pytest.mark.slow
def test_a_camera_that_only_turns_gives_an_empty_map(reference: ModuleType, room: Scene) -> None:
    def turned(frame: Frame) -> Frame:
        pose = frame.world_from_cam.copy()
        pose[:3, 3] = 1.0
        return replace(frame, world_from_cam=pose)

    spinning = replace(room, mapping=tuple(map(turned, room.mapping[:4])))
    reference_map = reference.map_by_matching(spinning)
    estimate = reference.localize(reference_map, turned(room.queries[0]))
    assert reference_map.points.shape == (0, 3)
    assert not estimate.localized
    assert estimate.reason


@pytest.mark.slow
def test_images_without_features_and_missing_ones_are_lost(
    reference: ModuleType, room: Scene, tmp_path: Path
) -> None:
    blank, *others = room.mapping[:3]
    missing = replace(others[0], image=tmp_path / "missing.png")
    mapping = (without_pixels(blank, tmp_path), missing, others[1])
    reference_map = reference.map_by_matching(replace(room, mapping=mapping))
    assert [len(f.pixels) > 0 for f in reference_map.features] == [False, False, True]
    for query in (without_pixels(room.queries[0], tmp_path), missing):
        assert not reference.localize(reference_map, query).localized
    unposed = replace(room.queries[0], world_from_cam=None)
    assert "true pose" in reference.localize(reference_map, unposed).reason


def test_nearest_frames_weigh_position_and_direction(reference: ModuleType) -> None:
    eye = np.array([0.0, 0.0, 1.0])
    poses = np.stack(
        [
            look_at(eye, eye + (-1, 0, 0)),  # here, but looking back
            look_at(eye + (0.5, 0, 0), eye + (9, 0, 0)),  # a step ahead
            look_at(eye, eye + (1, 0.1, 0)),  # here, turned by 6 degrees
        ]
    )
    query = look_at(eye, eye + (1, 0, 0))
    assert reference.nearest_frames(query, poses, extent=2.0, count=2).tolist() == [2, 1]
    assert reference.nearest_frames(query, poses, extent=0.0, count=9).tolist() == [1, 2, 0]


def test_epipolar_errors_are_distances_to_the_lines(reference: ModuleType) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform((-1, -1, 4), (1, 1, 8), (50, 3))
    a, b = np.eye(4), look_at((1.0, 0.2, 0.0), (0.0, 0.0, 6.0), up=(0, -1, 0))
    camera = Camera("SIMPLE_RADIAL", 640, 480, (500.0, 320.0, 240.0, -0.1))
    rays_a, rays_b = (
        camera.rays(camera.project(transformed(inverted(pose), points))) for pose in (a, b)
    )
    b_from_a = inverted(b) @ a
    assert reference._epipolar_errors(b_from_a, rays_a, rays_b).max() < 1e-6
    # The lines are nearly horizontal: a step across them shows in full, one along them does not.
    across = reference._epipolar_errors(b_from_a, rays_a, rays_b + (0.0, 0.01))
    along = reference._epipolar_errors(b_from_a, rays_a, rays_b + (0.01, 0.0))
    assert np.median(across) == pytest.approx(0.01, rel=0.1)
    assert np.median(along) < 0.003
    assert np.isinf(reference._epipolar_errors(np.eye(4), rays_a, rays_a)).all()
