"""Queries as they are read: what is stored turned is seen upright, and depth goes with it."""

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.geometry.turns import turned_camera
from reloc.images.augment import plain_view
from reloc.localize.cameras import CameraChoice
from reloc.localize.query import DepthFile, Query, read_query

UPRIGHT = Camera("OPENCV", 200, 300, (220, 230, 95, 160, -0.1, 0.02, 0.002, -0.001))
TAGS = {0: 1, 1: 6, 2: 3, 3: 8}


@pytest.fixture
def photo():
    noise = np.random.default_rng(0).integers(0, 256, (30, 20), dtype=np.uint8)
    return cv2.resize(noise, (200, 300), interpolation=cv2.INTER_CUBIC)


def saved(tmp_path, photo, turn):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = TAGS[turn]
    Image.fromarray(np.rot90(photo, turn)).save(tmp_path / "a.png", exif=exif)
    return tmp_path / "a.png"


def prepared(query, turn, *, short_side=120):
    choices = [CameraChoice(turned_camera(UPRIGHT, -turn), "map", turn)]
    ((only,),) = read_query(query).prepared(choices, short_side=short_side)
    return only


@pytest.mark.parametrize("turn", TAGS)
@pytest.mark.parametrize("short_side", [120, 200])
def test_the_view_is_that_of_the_upright_picture_and_its_rays_are_stored_ones(
    tmp_path, photo, turn, short_side
):
    path = saved(tmp_path, photo, turn)
    assert read_query(Query("a", path)).lens.turn == turn
    found = prepared(Query("a", path), turn, short_side=short_side)
    expected = prepared(Query("a", photo), 0, short_side=short_side)
    np.testing.assert_array_equal(found.view.image, plain_view(photo, short_side=short_side).image)
    assert found.focal == pytest.approx(expected.focal)
    (pixels, rays), (_, upright) = found.cells(8), expected.cells(8)
    seen = np.isfinite(upright).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(rays).all(axis=1), seen)
    for _ in range(turn):  # (x, y) of the stored axes lie at (-y, x) after a turn
        rays = np.stack([-rays[:, 1], rays[:, 0]], axis=1)
    np.testing.assert_allclose(rays[seen], upright[seen], atol=1e-9)
    stored = np.rot90(photo, turn)
    inside = (pixels > 0).all(axis=1) & (pixels < (stored.shape[1], stored.shape[0])).all(axis=1)
    assert inside.mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("turn", TAGS)
def test_depth_stored_as_the_photo_is_lies_along_the_same_rays(tmp_path, photo, turn):
    x, y = np.meshgrid(np.arange(200) + 0.5, np.arange(300) + 0.5)
    seen = UPRIGHT.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    depth = (3 + 0.5 * seen[:, 0] + seen[:, 1]).reshape(300, 200)
    path = tmp_path / "depth.png"
    assert cv2.imwrite(str(path), np.rot90(np.rint(depth * 1000).astype(np.uint16), turn))
    query = Query("a", saved(tmp_path, photo, turn), depth=DepthFile(path, 0.001))
    found = prepared(query, turn)
    _, rays = found.cells(8)
    good = np.isfinite(rays).all(axis=1)
    measured = found.depth.along(rays[good])
    upright = rays[good]
    for _ in range(turn):
        upright = np.stack([-upright[:, 1], upright[:, 0]], axis=1)
    known = np.isfinite(measured)
    assert known.mean() > 0.8
    truth = 3 + 0.5 * upright[:, 0] + upright[:, 1]
    np.testing.assert_allclose(measured[known], truth[known], atol=0.02)


def test_depth_of_another_shape_needs_a_camera_of_its_own(tmp_path, photo):
    path = tmp_path / "depth.png"
    assert cv2.imwrite(str(path), np.full((100, 100), 2000, np.uint16))
    with pytest.raises(CameraError, match=r"depth\.png"):
        prepared(Query("a", photo, depth=DepthFile(path, 0.001)), 0)
    own = Camera.pinhole(width=100, height=100, fx=110)
    assert prepared(Query("a", photo, depth=DepthFile(path, 0.001, own)), 0).depth.camera == own


def test_a_view_is_made_once_for_all_cameras_that_share_it(photo):
    choices = [CameraChoice(UPRIGHT, "map"), CameraChoice(UPRIGHT.resized(200, 300), "exif", 0)]
    choices += [CameraChoice(UPRIGHT, "map", 2)]
    groups = read_query(Query("a", photo)).prepared(choices, short_side=120)
    assert [[q.camera_source for q in group] for group in groups] == [["map", "exif"], ["map"]]
    assert groups[0][0].view is groups[0][1].view
    assert [group[0].turn for group in groups] == [0, 2]
