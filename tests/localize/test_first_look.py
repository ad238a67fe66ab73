"""Landmarks that are sure answer before the network; where they are not, all goes on with heads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reloc.geometry import pose_error
from reloc.landmarks.keypoints import Keypoints
from reloc.localize import Localizer, Query
from reloc.localize.cameras import CameraChoice
from reloc.localize.first_look import first_look
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.localize.query import read_query
from reloc.localize.regional_landmarks import RegionalLandmarks
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.scenes.depth import DepthMap

from ..landmarks.conftest import CAMERA, make_cloud
from ..landmarks.test_matching import landmarks_of
from .test_contradiction import VIEW, Echo, Oracle

PHOTO = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)


@pytest.fixture(scope="module")
def cloud():
    return make_cloud(points=500, seed=1)


@pytest.fixture(scope="module")
def landmarks(cloud):
    return landmarks_of(cloud)[0]


class Counting(Oracle):
    """A backbone that counts the photos that it sees."""

    looks = 0

    def __call__(self, images):
        self.looks += 1
        return super().__call__(images)


class Place:
    """Localizers of one place, and the keypoints that its photos show."""

    def __init__(self, cloud, landmarks):
        self.truth = cloud.views[VIEW].world_from_cam
        self.landmarks = landmarks
        self.keypoints = cloud.keypoints[VIEW]
        self.backbone = Counting(self.truth, outliers=0.3)

    def localizer(self, *, landmarks=500, **options):
        head: Any = Echo()
        rows = np.arange(0, len(self.landmarks), max(1, len(self.landmarks) // landmarks))
        scene_map = SceneMap(
            (Region(head, np.zeros(3)),), "oracle", 480, 4.0, "metre",
            (MappingCamera("a", self.truth, CAMERA),), landmarks=self.landmarks.subset(rows),
        )  # fmt: skip
        return Localizer(scene_map, self.backbone, device="cpu", **options)

    def off(self, estimate):
        return pose_error(estimate.world_from_cam, self.truth)[0]


@pytest.fixture
def place(cloud, landmarks, monkeypatch):
    made = Place(cloud, landmarks)
    monkeypatch.setattr("reloc.localize.query.detect_keypoints", lambda image: made.keypoints)
    return made


def without_times(estimate):
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(estimate).items()
        if name not in ("seconds", "evidence")
    }


def test_where_landmarks_are_sure_the_network_sees_nothing(place):
    estimate = place.localizer().localize(PHOTO)
    assert place.backbone.looks == 0
    assert estimate.localized and estimate.landmarks_alone
    assert estimate.landmark_inliers > 200
    assert (estimate.inliers, estimate.inlier_share) == (0, 0.0)
    assert set(estimate.seconds) == {"read", "keypoints", "landmarks"}
    assert (estimate.camera, estimate.camera_source) == (CAMERA, "map")
    with_heads = place.localizer(heads_always=True).localize(PHOTO)
    assert place.backbone.looks == 1
    assert not with_heads.landmarks_alone and with_heads.inliers > 0
    assert "keypoints" not in with_heads.seconds
    # Of both the pose is that of landmarks.
    np.testing.assert_allclose(estimate.world_from_cam, with_heads.world_from_cam, atol=1e-6)
    np.testing.assert_allclose(estimate.covariance, with_heads.covariance, rtol=0.01, atol=1e-12)


@pytest.mark.parametrize("few", [21, 55])
def test_where_they_are_not_all_is_as_with_heads_first(place, few):
    first, reference = (
        place.localizer(landmarks=few),
        place.localizer(landmarks=few, heads_always=True),
    )
    estimate = first.localize(PHOTO)
    assert place.backbone.looks == 1
    assert estimate.localized and not estimate.landmarks_alone
    assert without_times(estimate) == without_times(reference.localize(PHOTO))
    assert set(estimate.seconds) == {"read", "keypoints", "backbone", "head", "pose", "landmarks"}


@pytest.mark.slow
def test_a_photo_of_another_place_goes_to_the_network(place):
    place.keypoints = make_cloud(points=500, seed=9).keypoints[VIEW]
    place.backbone.outliers = 1.0
    estimate = place.localizer().localize(PHOTO)
    assert place.backbone.looks > 0
    assert not estimate.localized and not estimate.landmarks_alone


def test_landmarks_on_a_small_part_of_a_photo_are_not_sure(place):
    """As many as there may be: what they are on may have been moved since."""
    corner = (place.keypoints.pixels < (320, 350)).all(axis=1)
    place.keypoints = Keypoints(
        *(getattr(place.keypoints, name)[corner] for name in ("pixels", "sizes", "descriptors"))
    )
    estimate = place.localizer().localize(PHOTO)
    assert place.backbone.looks == 1
    assert estimate.landmark_inliers > 60 and not estimate.landmarks_alone


def test_where_very_many_are_in_view_more_have_to_agree(place):
    solver = place.localizer().place.landmarks.solver(())
    found = solver.solve(place.keypoints, CAMERA, None)
    assert solver.is_sure_alone(found)
    assert not solver.is_sure_alone(replace(found, inliers=59))
    assert solver.is_sure_alone(replace(found, inliers=200, visible=10_000))
    assert not solver.is_sure_alone(replace(found, inliers=199, visible=10_000))


def test_landmarks_that_are_asked_by_region_wait_for_the_network(place, monkeypatch):
    monkeypatch.setattr(RegionalLandmarks, "parted", property(lambda self: True))
    estimate = place.localizer().localize(PHOTO)
    assert place.backbone.looks == 1
    assert estimate.landmark_inliers > 200 and not estimate.landmarks_alone


@pytest.mark.slow
def test_many_photos_are_answered_as_single_ones_are(place):
    localizer, sharp = place.localizer(), place.keypoints
    foreign = make_cloud(points=500, seed=9).keypoints[VIEW]
    shown = {0: sharp, 1: foreign, 2: sharp}

    def answers(many):
        photos = [np.full((480, 640), number, np.uint8) for number in shown]
        for number, photo in enumerate(photos):
            photo[0, 0] = number
        queries = [Query(str(number), photo) for number, photo in enumerate(photos)]
        if many:
            return list(localizer.localize_many(queries))
        return [localizer.localize(query.image, name=query.name) for query in queries]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "reloc.localize.query.detect_keypoints", lambda image: shown[int(image[0, 0])]
        )
        many, single = answers(True), answers(False)
    assert [e.landmarks_alone for e in many] == [True, False, True]
    assert [without_times(e) for e in many] == [without_times(e) for e in single]


def test_cells_are_told_without_a_look_at_landmarks(place, monkeypatch):
    monkeypatch.setattr(
        "reloc.localize.query.detect_keypoints", lambda image: pytest.fail("looked")
    )
    assert len(place.localizer().correspondences(PHOTO, CAMERA)) > 1000


def tries_with(cameras, **more):
    choices = [CameraChoice(camera, "map", turn) for camera, turn in cameras]
    prepared = read_query(Query("a", PHOTO, **more)).prepared(choices, short_side=480)
    return [one for alike in prepared for one in alike]


def test_of_several_cameras_the_one_that_landmarks_agree_with_wins(place, landmarks):
    wrong = replace(CAMERA, params=(560.0, *CAMERA.params[1:]))
    tries = tries_with([(wrong, 0), (CAMERA, 0), (wrong, 1)])
    look = first_look(LandmarkSolver(landmarks), tries, place.localizer().place)
    assert set(look.found) == {wrong, CAMERA}
    assert look.answer is not None and look.answer.camera == CAMERA
    assert place.off(look.answer) < 0.005
    assert look.answer.seconds["read"] == pytest.approx(sum(one.seconds for one in tries))


def test_measured_depth_takes_part(place, landmarks):
    """It goes to the solver with the camera that it was measured with."""
    solver, asked = LandmarkSolver(landmarks), []
    depth = DepthMap(np.full((480, 640), 4.0, np.float32), CAMERA)

    def solve(keypoints, camera, first, *, depth=None):
        asked.append(depth)

    solver.solve = solve  # type: ignore[method-assign,assignment]
    look = first_look(solver, tries_with([(CAMERA, 0)], depth=depth), place.localizer().place)
    assert asked == [depth]
    assert look.answer is None and look.found == {CAMERA: None}
