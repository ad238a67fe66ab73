"""Calibration: its figures, what a line of a sample keeps, a fit to what a model has drawn."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from reloc.files import json_text
from reloc.geometry import look_at, pose_error, pose_from, rotation_from_vector
from reloc.localize import Query
from reloc.localize.estimate import Estimate
from reloc.maps.held_back import Bound, HeldBack
from reloc.pose.evidence import CellEvidence, Evidence, LandmarkEvidence
from reloc.pose.trust import CONSTANTS, calibrated_covariance

BOUND = Bound(0.25, 5.0)
SEEN = Evidence(
    CellEvidence(0.4, 0.8),
    LandmarkEvidence(40, 200, 0.4, 1.2),
    by_landmarks=True,
    contradicted=False,
    covariance=np.diag([1e-3] * 3 + [1e-2] * 3) ** 2,
    depth=3.0,
    held_back=HeldBack("held back", ((0.01, 0.1), None), (None, None)),
)


def sample_of(fit, *, motion=None, evidence=SEEN, kind="own"):
    return fit.Sample("a", "a", "draft", kind, "b", BOUND, motion, evidence)


def test_a_line_keeps_all_that_a_fit_needs(script, tmp_path):
    calibration, fit = script("calibration"), script("calibration_fit")
    truth = look_at((1.0, 2, 3), (0, 0, 0))
    off = pose_from(rotation_from_vector([0.02, -0.01, 0.03]), (0.1, 0.2, -0.05))
    found = Estimate("b", True, truth @ off, evidence=SEEN)
    place = SimpleNamespace(name="a", group="g")
    scene_map = SimpleNamespace(unit="metre", extent=7.0)
    asked = calibration.Asked("own", Query("b", np.zeros((8, 8), np.uint8)), truth)
    line = json_text(calibration.sample(place, "draft", scene_map, asked, found), indent=None)
    (tmp_path / "a--draft.jsonl").write_text(line + "\n" + line[:50])
    (sample,) = fit.load_samples(tmp_path)
    assert (sample.place, sample.group, sample.kind, sample.bound) == ("a", "g", "own", BOUND)
    distance, degrees = pose_error(found.world_from_cam, truth)
    assert np.linalg.norm(sample.motion[3:]) == pytest.approx(distance)
    assert np.degrees(np.linalg.norm(sample.motion[:3])) == pytest.approx(degrees)
    assert sample.distance == pytest.approx(max(distance / 0.25, degrees / 5))
    assert sample.evidence.cells == SEEN.cells
    assert sample.evidence.landmarks == SEEN.landmarks
    assert sample.evidence.by_landmarks and not sample.evidence.contradicted
    np.testing.assert_allclose(sample.evidence.covariance, SEEN.covariance)
    assert json.loads(json_text(sample.evidence.held_back.errors)) == [[0.01, 0.1], None]
    foreign = calibration.sample(place, "draft", scene_map, replace(asked, truth=None), found)
    assert foreign["motion"] is None


def test_calibration_error_and_coverage(script):
    fit, report = script("calibration_fit"), script("calibration_report")

    def judged(confidence, distance):
        motion = np.r_[np.zeros(3), distance, 0, 0]
        found = SimpleNamespace(confidence=confidence, covariance=np.eye(6) * 0.01)
        return report.Judged(sample_of(fit, motion=motion), found)

    poses = [judged(0.95, 0.1)] * 9 + [judged(0.95, 1.0)] + [judged(0.25, 0.1)] * 10
    assert report.calibration_error(poses) == pytest.approx((10 * 0.05 + 10 * 0.75) / 20)
    # Believed are ten: one is off by 1 m, another pose; nine by one standard deviation.
    assert report.coverage(poses) == {0.5: 1.0, 0.9: 1.0, 0.99: 1.0}
    far = [judged(0.95, 0.35)] * 3
    assert report.coverage(poses + far) == {0.5: 0.75, 0.9: 0.75, 0.99: 1.0}
    assert report.coverage([judged(0.1, 0.1)]) == {}


@pytest.mark.slow
def test_a_fit_finds_how_much_larger_errors_are_and_what_tells_wrong_poses(script):
    fit = script("calibration_fit")
    rng = np.random.default_rng(0)
    samples = []
    for number in range(80):
        share = rng.uniform(0.2, 0.9)
        cells = CellEvidence(share, share)
        for seen in (
            replace(SEEN, cells=cells, held_back=None),
            replace(SEEN, cells=cells, landmarks=None, by_landmarks=False, held_back=None),
        ):
            # Twice the deviations that the correspondences have.
            motion = rng.multivariate_normal(np.zeros(6), 4 * seen.covariance)
            samples.append(sample_of(fit, motion=motion, evidence=seen))
        chance = CellEvidence(0.02, 0.1 + 0.001 * (number % 3))
        other = replace(SEEN, cells=chance, landmarks=None, by_landmarks=False, held_back=None)
        samples.append(sample_of(fit, evidence=other, kind="elsewhere"))
    constants = fit.fitted(samples)
    for seen in (samples[0].evidence, samples[1].evidence):
        ratio = calibrated_covariance(seen, constants) / np.where(
            seen.covariance, seen.covariance, 1
        )
        assert np.sqrt(np.diag(ratio)) == pytest.approx(2.0, rel=0.2)
    right = [fit.trust.judged(s.evidence, BOUND, constants).certainty for s in samples[1:60:3]]
    wrong = [fit.trust.judged(s.evidence, BOUND, constants).certainty for s in samples[2:60:3]]
    assert min(right) > 0.9 > 0.1 > max(wrong)
    assert all(
        constants.weights[name] >= 0
        for name in CONSTANTS.weights
        if name not in fit.trust.INTERCEPTS
    )
