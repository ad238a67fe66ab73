"""Of a map with many landmarks, those of the regions that a query looks like are asked."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reloc.geometry import inverted, pose_error, transformed
from reloc.landmarks.keypoints import Keypoints
from reloc.localize.regional_landmarks import KEPT, RegionalLandmarks
from reloc.maps import MappingCamera

from ..landmarks.conftest import CAMERA, make_cloud
from ..landmarks.test_matching import landmarks_of

# Copies of one cloud, far from each other: what they show is of one look.
APART = np.array([100.0, 0.0, 0.0])
PLACES = 3


@pytest.fixture(scope="module")
def street():
    cloud = make_cloud(points=300, seed=4)
    one, _ = landmarks_of(cloud)
    rows = np.tile(np.arange(len(one)), PLACES)
    shift = np.repeat(np.arange(PLACES), len(one))[:, None] * APART
    many = one.subset(rows)
    many = type(many)(**vars(many) | {"points": many.points + shift})
    poses = []
    for place in range(PLACES):
        for view in cloud.views:
            pose = view.world_from_cam.copy()
            pose[:3, 3] += place * APART
            poses.append(pose)
    cameras = tuple(MappingCamera(str(n), pose, CAMERA) for n, pose in enumerate(poses))
    each = len(cloud.views)
    regions = [
        SimpleNamespace(
            frames=tuple(range(place * each, (place + 1) * each)), origin=place * APART, scale=4.5
        )
        for place in range(PLACES)
    ]
    return cloud, many, SimpleNamespace(cameras=cameras, regions=regions)


def asked(solver):
    return len(solver._matcher.landmarks)


def test_a_map_with_few_landmarks_asks_all(street):
    _, landmarks, scene_map = street
    regional = RegionalLandmarks(landmarks, scene_map)
    assert asked(regional.solver([2])) == len(landmarks)
    assert regional.solver([1]) is regional.solver([2, 0])


def test_those_of_the_first_regions_are_asked(street):
    cloud, landmarks, scene_map = street
    one = len(landmarks) // PLACES
    regional = RegionalLandmarks(landmarks, scene_map, enough=one)
    for place in range(PLACES):
        solver = regional.solver([place, (place + 1) % PLACES])
        assert 0.9 * one < asked(solver) <= one
        found = solver.solve(cloud.keypoints[5], CAMERA, None)
        truth = cloud.views[5].world_from_cam.copy()
        truth[:3, 3] += place * APART
        assert pose_error(found.world_from_cam, truth)[0] < 0.01


def test_as_many_regions_are_asked_as_have_enough_together(street):
    _, landmarks, scene_map = street
    one = len(landmarks) // PLACES
    two = RegionalLandmarks(landmarks, scene_map, enough=2 * one).solver([1, 2, 0])
    assert 1.9 * one < asked(two) <= 2 * one


def test_every_landmark_in_view_of_a_regions_photos_belongs_to_it(street):
    _, landmarks, scene_map = street
    solver = RegionalLandmarks(landmarks, scene_map, enough=1).solver([1])
    pose = scene_map.cameras[scene_map.regions[1].frames[0]].world_from_cam
    pixels = CAMERA.project(transformed(inverted(pose), landmarks.points))
    inside = ((pixels > 0) & (pixels < (640, 480))).all(axis=1)
    near = np.abs(landmarks.points - APART).max(axis=1) < 20
    assert asked(solver) >= (inside & near).sum() > 100


def test_a_region_without_photos_has_no_landmarks(street):
    _, landmarks, scene_map = street
    empty = SimpleNamespace(frames=(), origin=np.zeros(3), scale=4.5)
    other: Any = SimpleNamespace(cameras=scene_map.cameras, regions=[empty, *scene_map.regions])
    regional = RegionalLandmarks(landmarks, other, enough=1)
    assert regional.solver([0]) is None
    assert asked(regional.solver([0, 1])) > 100


def test_solvers_are_made_once_and_few_are_kept(street):
    _, landmarks, scene_map = street
    regions = [scene_map.regions[0]] * (KEPT + 2)
    many: Any = SimpleNamespace(cameras=scene_map.cameras, regions=regions)
    regional = RegionalLandmarks(landmarks, many, enough=1)
    first = regional.solver([0])
    assert regional.solver([0]) is first
    for region in range(1, KEPT + 2):
        regional.solver([region])
    assert regional.solver([0]) is not first


def test_a_photo_of_nothing_is_no_error(street):
    _, landmarks, scene_map = street
    nothing = Keypoints(
        np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, 128), np.uint8)
    )
    solver = RegionalLandmarks(landmarks, scene_map, enough=1).solver([1])
    assert solver.solve(nothing, CAMERA, None) is None
