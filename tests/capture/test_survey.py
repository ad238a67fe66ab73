"""Advice on a capture: silent on a good one, and each fault is found and named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.capture import Survey, survey_scene
from reloc.errors import SceneError
from reloc.files import json_text
from reloc.geometry import (
    Camera,
    inverted,
    pose_from,
    quaternion_from_rotation,
    rotation_from_quaternion,
    rotation_from_vector,
)
from reloc.scenes import Scene, open_scene

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("keypoints_once")]

PHOTOS_DAMAGED = {
    "blur": lambda image: cv2.GaussianBlur(image, (0, 0), 4),
    "dark": lambda image: (image * 0.1).astype(np.uint8),
    "bright": lambda image: np.minimum(image.astype(int) * 4, 255).astype(np.uint8),
    "plain": lambda image: (image * 0.05 + 120).astype(np.uint8),
}


def kinds(survey: Survey) -> dict[str, str]:
    return {advice.kind: advice.severity for advice in survey.advice}


def with_poses(scene: Scene, change: Callable[[np.ndarray], np.ndarray]) -> Scene:
    return replace(
        scene,
        mapping=tuple(replace(f, world_from_cam=change(f.world_from_cam)) for f in scene.mapping),
    )


def test_a_good_capture_draws_no_warning(capture):
    told = []
    survey = survey_scene(capture, progress=lambda *stage, **_: told.append(stage))
    assert [a.text for a in survey.advice if a.severity != "note"] == []
    assert len(survey.photos) == 16
    assert np.median(survey.agreement.errors) < 0.6
    assert survey.depth is not None
    assert 0.5 < survey.depth < 6
    assert told[-1] == ("looking at photos", 16, 16)
    assert "NaN" not in json_text(survey.as_dict())


@pytest.mark.parametrize("fault", PHOTOS_DAMAGED)
def test_bad_photos_are_named(capture, tmp_path, fault):
    frames = list(capture.mapping)
    for number in (4, 5, 9):
        image = PHOTOS_DAMAGED[fault](cv2.imread(str(frames[number].image)))
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), image)
        frames[number] = replace(frames[number], image=path)
    found = [
        a for a in survey_scene(replace(capture, mapping=tuple(frames))).advice if a.kind == fault
    ]
    assert [set(a.frames) for a in found] == [{"04.jpg", "05.jpg", "09.jpg"}]
    assert found[0].severity == "warning"
    assert "3 of 16 photos (19 %)" in found[0].text


def test_photos_that_cannot_be_read_are_named(capture, tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(capture.mapping[3].image.read_bytes()[:4000])
    frames = list(capture.mapping)
    frames[3] = replace(frames[3], image=path)
    survey = survey_scene(replace(capture, mapping=tuple(frames)))
    assert [a.frames for a in survey.advice if a.kind == "damaged"] == [("03.jpg",)]


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_wrong_focal_length_is_found_with_the_right_one(capture, factor):
    wrong = Camera.pinhole(width=400, height=300, fx=328 * factor)
    frames = tuple(replace(f, camera=wrong) for f in capture.mapping)
    survey = survey_scene(replace(capture, mapping=frames))
    advice = survey.advice[0]
    assert (advice.kind, advice.severity) == ("intrinsics", "serious")
    told = float(advice.text.split("of about ")[1].split(" px")[0])
    assert told == pytest.approx(328, rel=0.02)
    # The coverage is not judged by numbers that are wrong.
    assert survey.coverage is None


def test_different_focal_lengths_are_told_as_a_factor(capture):
    frames = tuple(
        replace(f, camera=Camera.pinhole(width=400, height=300, fx=328 * (1.2 + 0.002 * k)))
        for k, f in enumerate(capture.mapping)
    )
    advice = survey_scene(replace(capture, mapping=frames)).advice[0]
    assert advice.kind == "intrinsics"
    told = float(advice.text.split("of about ")[1].split(" times")[0])
    assert told == pytest.approx(1 / 1.215, abs=0.02)


def swapped_quaternion(pose: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion_from_rotation(pose[:3, :3])
    return pose_from(rotation_from_quaternion((x, y, z, w)), pose[:3, 3])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (inverted, "camera from world instead"),
        (lambda pose: pose @ np.diag([1.0, -1, -1, 1]), "OpenGL axes (y up"),
        (lambda pose: inverted(pose @ np.diag([1.0, -1, -1, 1])), "camera from world with OpenGL"),
        (swapped_quaternion, "quaternions as x y z w"),
    ],
)
def test_poses_in_another_convention_are_recognised(capture, change, named):
    advice = survey_scene(with_poses(capture, change)).advice[0]
    assert (advice.kind, advice.severity) == ("convention", "serious")
    assert named in advice.text


def test_poses_of_other_photos_are_found(capture):
    order = np.random.default_rng(2).permutation(len(capture.mapping))
    poses = [capture.mapping[i].world_from_cam for i in order]
    frames = tuple(
        replace(f, world_from_cam=p) for f, p in zip(capture.mapping, poses, strict=True)
    )
    survey = survey_scene(replace(capture, mapping=frames))
    assert kinds(survey)["poses"] == "serious"


def test_a_single_wrong_pose_is_named(capture):
    frames = list(capture.mapping)
    turn = pose_from(rotation_from_vector((0, 0.25, 0.1)), (0, 0, 0))
    frames[7] = replace(frames[7], world_from_cam=frames[7].world_from_cam @ turn)
    survey = survey_scene(replace(capture, mapping=tuple(frames)))
    assert [a.frames for a in survey.advice if a.kind == "poses" and a.frames] == [("07.jpg",)]


@pytest.mark.parametrize("jitter", [0.0, 0.002])
def test_a_camera_that_only_turns_is_told(turning, jitter):
    rng = np.random.default_rng(0)
    moved = with_poses(
        turning, lambda pose: pose_from(pose[:3, :3], pose[:3, 3] + rng.normal(0, jitter, 3))
    )
    advice = survey_scene(moved).advice[0]
    assert (advice.kind, advice.severity) == ("parallax", "serious")


def test_photos_that_have_nothing_in_common_are_told(capture, tmp_path):
    rng = np.random.default_rng(0)
    frames = []
    for number, frame in enumerate(capture.mapping[:8]):
        path = tmp_path / f"{number}.png"
        noise = cv2.resize(rng.integers(0, 255, (30, 40), dtype=np.uint8), (400, 300))
        assert cv2.imwrite(str(path), noise)
        frames.append(replace(frame, image=path))
    survey = survey_scene(replace(capture, mapping=tuple(frames)))
    assert "unchecked" in kinds(survey)
    assert survey.coverage is None


def test_little_time_means_fewer_photos(capture):
    survey = survey_scene(capture, seconds=0)
    assert len(survey.photos) == 1
    assert "unchecked" in kinds(survey)


def test_a_single_frame_and_no_pose(capture):
    one = replace(capture, mapping=capture.mapping[:1])
    assert len(survey_scene(one).photos) == 1
    none = replace(capture, mapping=(replace(capture.mapping[0], world_from_cam=None),))
    with pytest.raises(SceneError, match="no mapping frame has a pose"):
        survey_scene(none)


@pytest.mark.parametrize("name", ["fox", "office"])
def test_real_captures(shared_scenes: Path, name: str):
    survey = survey_scene(open_scene(shared_scenes / name), seconds=90)
    assert "serious" not in kinds(survey).values()
    assert survey.coverage is not None
    if name == "fox":
        assert survey.advice == ()
