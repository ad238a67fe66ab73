"""Estimates say why they are not to be believed: pictures of a room made worse in all ways."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc import Localizer, Query, SceneMap
from reloc.geometry import Camera
from reloc.images.files import read_image
from reloc.localize import Reason
from reloc.localize.pose_files import estimate_record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def localizer(map_file):
    return Localizer(SceneMap.load(map_file), device="cpu")


@pytest.fixture(scope="module")
def photos(room, localizer):
    """Those of the queries that are localized as they are."""
    found = [(frame, read_image(frame.image, gray=True)) for frame in room.queries]
    good = [(f, p) for f, p in found if localizer.localize(p, f.camera).localized]
    assert len(good) >= 4
    return good


def told(localizer, picture, camera):
    estimate = localizer.localize(picture, camera)
    assert estimate.localized == (estimate.reason is None) == (estimate.reason_kind is None)
    assert estimate_record(estimate)["reason_kind"] == estimate.reason_kind
    return estimate


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda p: (p // 32).astype(np.uint8), Reason.TOO_DARK),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 14), Reason.TOO_BLURRED),
        (lambda p: cv2.blur(p, (111, 1)), Reason.TOO_BLURRED),
        (lambda p: np.zeros_like(p), Reason.TOO_DARK),
        (lambda p: np.full_like(p, 255), Reason.OVEREXPOSED),
    ],
)
def test_bad_pictures_are_told_apart(localizer, photos, change, kind):
    kinds = {told(localizer, change(photo), frame.camera).reason_kind for frame, photo in photos}
    # In views of so few cells chance is believed now and then.
    assert kinds - {None} == {kind}


def test_a_picture_of_elsewhere_is_not_of_this_place(localizer, photos, made_scene):
    rng = np.random.default_rng(0)
    letters = np.full((240, 320), 230, np.uint8)
    for y in range(15, 240, 20):
        words = "".join(rng.choice(list("abcdefg hijk"), 40))
        cv2.putText(letters, words, (4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 20, 1, cv2.LINE_AA)
    estimate = told(localizer, letters, photos[0][0].camera)
    assert estimate.reason_kind is Reason.NOT_THIS_PLACE


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_wrong_focal_length_is_named(localizer, photos, factor):
    named = []
    for frame, photo in photos:
        camera = frame.camera
        wrong = replace(
            camera, params=(*(factor * f for f in camera.params[:-2]), camera.cx, camera.cy)
        )
        estimate = told(localizer, photo, wrong)
        if estimate.reason_kind is Reason.INTRINSICS:
            assert estimate.confidence < 0.1
            named.append(float(estimate.reason.partition(" length of ")[2].split()[0]))
            assert named[-1] == pytest.approx(camera.focal, rel=0.05)
    assert len(named) >= len(photos) // 2


def test_a_query_without_a_camera_says_so(localizer):
    query = Query("tall", np.zeros((400, 100), np.uint8))
    estimate = next(localizer.localize_many([query]))
    assert estimate.reason_kind is Reason.BAD_INPUT
    assert "camera" in estimate.reason


def test_a_black_photo_is_nowhere_even_where_all_cells_agree(localizer, room, monkeypatch):
    # Of a flat picture the network sees its borders; heads may answer with a pose.
    place, frame = localizer.place, room.queries[0]
    query = localizer._likeliest(Query("black", np.zeros((240, 320), np.uint8), frame.camera))
    sure = replace(
        localizer.localize(read_image(frame.image, gray=True), frame.camera),
        localized=True,
        landmark_inliers=0,
        confidence=1.0,
        reason=None,
        reason_kind=None,
    )
    monkeypatch.setattr(place, "_estimated", lambda *_, **__: sure)
    candidate = place.candidates(localizer.extractor(query.view.image), query)
    estimate = place.estimate(query, candidate, {})
    assert not estimate.localized
    assert estimate.confidence == 0
    assert estimate.reason_kind is Reason.TOO_DARK


def test_cameras_that_fit_cost_nothing(localizer, photos):
    camera = photos[0][0].camera
    same = Camera(camera.model, camera.width, camera.height, camera.params)
    assert localizer.localize(photos[0][1], same).confidence > 0.7
