"""Heads that say one pose and landmarks that say another."""

from typing import Any

import numpy as np
import pytest
import torch

from reloc.geometry import pose_error, pose_from, rotation_from_vector, transformed
from reloc.landmarks.keypoints import Keypoints
from reloc.localize import Localizer
from reloc.maps import MappingCamera, Region, SceneMap

from ..landmarks.conftest import CAMERA, make_cloud
from ..landmarks.test_matching import landmarks_of

VIEW = 5


class Oracle:
    """A backbone whose features are the scene coordinates that a pose would have."""

    channels, stride, fingerprint = 3, 8, "oracle"

    def __init__(self, pose, outliers):
        self.pose, self.outliers = pose, outliers

    def __call__(self, images):
        rows, columns = (side // 8 for side in images.shape[-2:])
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
        depth = 4 + np.sin(5 * rays[:, :1]) + rays[:, 1:]
        points = transformed(self.pose, np.c_[rays, np.ones(len(rays))] * depth)
        rng = np.random.default_rng(0)
        wrong = rng.random(len(points)) < self.outliers
        points[wrong] = rng.uniform(-5, 5, (wrong.sum(), 3))
        return torch.from_numpy(points.T.reshape(1, 3, rows, columns)).float()


class Echo(torch.nn.Module):
    channels, scale = 3, torch.tensor(4.0)

    def forward(self, features):
        return features


@pytest.fixture(scope="module")
def cloud():
    return make_cloud(points=500, seed=1)


@pytest.fixture
def answer(cloud, monkeypatch):
    """Estimates of a photo whose heads see it from a pose, with so many landmarks of the cloud.

    The photo shows keypoints of so many of them.
    """
    shown: list[Keypoints] = []
    monkeypatch.setattr("reloc.localize.query.detect_keypoints", lambda image: shown[-1])
    truth = cloud.views[VIEW].world_from_cam
    known = landmarks_of(cloud)[0]

    def localized(pose, *, outliers=0.3, landmarks=500, keypoints=5000, reliability=1.0):
        seen = cloud.keypoints[VIEW]
        some = np.arange(0, len(seen.pixels), max(1, len(seen.pixels) // keypoints))
        names = ("pixels", "sizes", "descriptors")
        shown.append(Keypoints(*(getattr(seen, name)[some] for name in names)))
        rows = np.arange(0, len(known), max(1, len(known) // max(1, landmarks)))
        head: Any = Echo()
        scene_map = SceneMap(
            (Region(head, np.zeros(3)),), "oracle", 480, 4.0, "metre",
            (MappingCamera("a", truth, CAMERA),),
            landmarks=known.subset(rows) if landmarks else None, reliability=reliability,
        )  # fmt: skip
        place = Localizer(scene_map, Oracle(pose, outliers), device="cpu", heads_always=True)
        photo = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
        return place.localize(photo)

    return localized


@pytest.fixture
def elsewhere(cloud):
    turn = pose_from(rotation_from_vector([0.0, 0.4, 0.0]), (1.5, 0, 0))
    return cloud.views[VIEW].world_from_cam @ turn


def off(estimate, pose):
    return pose_error(estimate.world_from_cam, pose)[0]


def test_where_both_agree_the_pose_is_surer_than_by_either(cloud, answer):
    truth = cloud.views[VIEW].world_from_cam
    both, heads = answer(truth), answer(truth, landmarks=0)
    assert both.localized and not both.contradicted
    assert both.confidence > heads.confidence
    assert off(both, truth) < 0.005


def test_many_landmarks_decide_against_heads_and_it_is_said(cloud, answer, elsewhere):
    truth = cloud.views[VIEW].world_from_cam
    agreed, contradicted = answer(truth), answer(elsewhere)
    assert answer(elsewhere, landmarks=0).localized
    assert contradicted.localized and contradicted.contradicted
    assert contradicted.landmark_inliers > 100
    assert off(contradicted, truth) < 0.005
    assert contradicted.confidence < agreed.confidence
    # The spread is that of landmarks, far below what heads that err by pixels would have.
    np.testing.assert_allclose(contradicted.covariance, agreed.covariance, rtol=0.2, atol=1e-9)


def test_few_landmarks_do_not_decide_but_leave_heads_less_sure(answer, elsewhere):
    heads = answer(elsewhere, landmarks=0, outliers=0.5)
    doubted = answer(elsewhere, keypoints=30, outliers=0.5)
    assert doubted.contradicted
    assert off(doubted, elsewhere) < 0.1
    assert doubted.landmark_inliers == 0
    odds = [e.certainty / (1 - e.certainty) for e in (doubted, heads)]
    assert odds[0] == pytest.approx(odds[1] / 2)


def test_heads_that_are_not_sure_contradict_nothing(cloud, answer, elsewhere):
    estimate = answer(elsewhere, outliers=1.0)
    assert estimate.localized and not estimate.contradicted
    assert off(estimate, cloud.views[VIEW].world_from_cam) < 0.005


def test_what_is_left_of_trust_decides_whether_heads_are_believed(answer, elsewhere):
    weak = answer(elsewhere, landmarks=0, reliability=0.6)
    doubted = answer(elsewhere, keypoints=30, reliability=0.6)
    assert weak.localized
    assert doubted.contradicted and not doubted.localized
    assert "landmarks" in doubted.reason
