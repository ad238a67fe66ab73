"""The focal length of a photo of which nothing is known."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.errors import CameraError
from reloc.geometry import Camera, pose_error
from reloc.images.files import read_image
from reloc.localize import Localizer
from reloc.localize.focal_search import searched_camera
from reloc.localize.query import Query, read_query
from reloc.maps import SceneMap


@pytest.fixture(scope="module")
def localizer(map_file):
    """Of a map whose mapping photos were taken by many cameras of other shapes."""
    scene_map = SceneMap.load(map_file)
    cameras = tuple(
        replace(one, camera=Camera.pinhole(width=100 + n, height=500, fx=90))
        for n, one in enumerate(scene_map.cameras)
    )
    return Localizer(replace(scene_map, cameras=cameras), device="cpu")


def test_a_photo_without_a_camera_gets_the_focal_length_that_fits(localizer, room):
    queries = (Query(frame.name, frame.image) for frame in room.mapping[::8])
    found = list(localizer.localize_many(queries))
    good = [(e, f) for e, f in zip(found, room.mapping[::8], strict=True) if e.localized]
    assert len(good) >= 3
    for estimate, frame in good:
        assert estimate.camera_source == "searched"
        assert estimate.camera.focal == pytest.approx(frame.camera.focal, rel=0.05)
        distance, degrees = pose_error(estimate.world_from_cam, frame.world_from_cam)
        assert distance < 0.15
        assert degrees < 2


def test_what_is_given_is_not_searched_for(localizer, room):
    frame = room.mapping[0]
    estimate = localizer.localize(frame.image, frame.camera)
    assert estimate.camera_source == "given"
    assert estimate.camera.focal == frame.camera.focal


def test_a_photo_of_another_place_has_no_focal_length(localizer):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)
    read = read_query(Query("noise", noise))
    assert searched_camera(localizer._first, read.keypoints(), width=320, height=240) is None
    with pytest.raises(CameraError, match="no camera at hand"):
        localizer.localize(noise)


def test_without_landmarks_nothing_can_be_searched(localizer, room):
    bare = Localizer(replace(localizer.map, landmarks=None), device="cpu")
    with pytest.raises(CameraError, match="no camera at hand"):
        bare.localize(read_image(room.mapping[0].image))
