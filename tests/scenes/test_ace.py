"""Reading ACE and DSAC* folders."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene


def _write(place, root, number, *, part="train", image="png", suffixes=("", "", ""), calib=None):
    stem = f"frame-{number:06d}"
    color, pose, calibration = suffixes
    place.image(root / part / "rgb" / f"{stem}{color}.{image}")
    place.text(root / part / "poses" / f"{stem}{pose}.txt", place.pose(number))
    place.text(root / part / "calibration" / f"{stem}{calibration}.txt", calib or [[70.0]])


def _by_name(scene):
    return {frame.name: frame for frame in scene.mapping + scene.queries}


def test_focal_and_matrix_reproject(tmp_path, place, seen_by):
    _write(place, tmp_path, 0)
    _write(place, tmp_path, 1, part="test", calib=[[80.0, 0, 30], [0, 75, 26], [0, 0, 1]])
    scene = open_scene(tmp_path)
    assert (scene.layout, scene.unit) == ("ace", "metre")
    (first,), (query,) = scene.mapping, scene.queries
    np.testing.assert_allclose(seen_by(first), place.pinhole_pixels(0, 70, 70, 32, 24), atol=1e-6)
    np.testing.assert_allclose(seen_by(query), place.pinhole_pixels(1, 80, 75, 30, 26), atol=1e-6)


def test_files_pair_by_name_whatever_their_suffixes_and_order(tmp_path, place, seen_by):
    for number in range(4):
        _write(place, tmp_path, number, suffixes=(".color", ".pose", ".calibration"))
    # One image without a pose shifts everything for a reader that pairs by order.
    (tmp_path / "train/poses/frame-000001.pose.txt").unlink()
    scene = open_scene(tmp_path)
    assert [s.name for s in scene.skipped] == ["train/rgb/frame-000001.color.png"]
    for number, frame in zip((0, 2, 3), scene.mapping, strict=True):
        expected = place.pinhole_pixels(number, 70, 70, 32, 24)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_names_with_dots_pair_by_the_exact_stem(tmp_path, place, seen_by):
    for number in range(2):
        stem = f"1305031102.{number}"
        place.image(tmp_path / f"train/rgb/{stem}.png")
        place.text(tmp_path / f"train/poses/{stem}.txt", place.pose(number))
        place.text(tmp_path / f"train/calibration/{stem}.txt", [[70.0]])
    for number, frame in enumerate(open_scene(tmp_path).mapping):
        expected = place.pinhole_pixels(number, 70, 70, 32, 24)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_portrait_focal_is_not_swapped(tmp_path, place):
    _write(place, tmp_path, 0)
    place.image(tmp_path / "train/rgb/frame-000000.png", 48, 64)
    camera = open_scene(tmp_path).mapping[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (70, 70, 24, 32)


def test_queries_need_no_pose(tmp_path, place):
    _write(place, tmp_path, 0)
    _write(place, tmp_path, 1, part="test")
    (tmp_path / "test/poses/frame-000001.txt").unlink()
    assert open_scene(tmp_path).queries[0].world_from_cam is None


def test_depth_belongs_to_its_frame_and_is_scaled(tmp_path, place):
    for number in range(3):
        _write(place, tmp_path, number)
    place.depth(tmp_path / "train/depth/frame-000001.png", 32, 24)
    depths = [frame.depth for frame in open_scene(tmp_path).mapping]
    assert depths[0] is None and depths[2] is None
    assert depths[1].unit == 0.001
    assert (depths[1].camera.width, depths[1].camera.fx, depths[1].camera.cx) == (32, 35, 16)


def test_damaged_depth_costs_the_depth_and_not_the_frame(tmp_path, place):
    _write(place, tmp_path, 0)
    place.text(tmp_path / "train/depth/frame-000000.png", "no image")
    scene = open_scene(tmp_path)
    assert scene.mapping[0].depth is None
    assert any("depth left out" in note for note in scene.notes)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([1.0, 1, -1, 1]), "reflection"),
        (np.diag([2.0, 2, 3, 1]), "orthonormal"),
        (np.full((4, 4), np.inf), "infinity"),
        (np.eye(4) * 1e200, "last row"),
        (np.eye(5), "16 numbers"),
        ("1 0 0 spam", "numbers"),
        ("", "16 numbers"),
    ],
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_bad_poses_are_skipped_with_the_reason(tmp_path, place, part, matrix, reason):
    _write(place, tmp_path, 0)
    _write(place, tmp_path, 1, part=part)
    place.text(tmp_path / part / "poses/frame-000001.txt", matrix)
    scene = open_scene(tmp_path)
    assert len(scene.mapping) == 1 and not scene.queries
    assert reason in scene.skipped[0].reason


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [
        (None, "no calibration"),
        ("", "1 or 9 numbers"),
        ("1 2", "1 or 9 numbers"),
        ("-5", "not positive"),
        ("nan", "not finite"),
        ("0 0 0 0 0 0 0 0 0", "not positive"),
        ("70 9 32 0 70 24 0 0 1", "skew"),
        ("spam", "numbers"),
    ],
)
def test_bad_calibrations_are_skipped_with_the_reason(tmp_path, place, calibration, reason):
    _write(place, tmp_path, 0)
    _write(place, tmp_path, 1)
    path = tmp_path / "train/calibration/frame-000001.txt"
    path.unlink()
    if calibration is not None:
        place.text(path, calibration)
    scene = open_scene(tmp_path)
    assert len(scene.mapping) == 1
    assert reason in scene.skipped[0].reason


def test_no_usable_frame_is_an_error_that_tells_why(tmp_path, place):
    _write(place, tmp_path, 0)
    (tmp_path / "train/rgb/frame-000000.png").write_bytes(b"")
    with pytest.raises(SceneError, match=r"no usable frame.*empty"):
        open_scene(tmp_path)


def test_poses_without_an_image_are_told(tmp_path, place):
    _write(place, tmp_path, 0)
    place.text(tmp_path / "train/poses/lonely.txt", np.eye(4))
    assert [s.name for s in open_scene(tmp_path).skipped] == ["train/poses/lonely.txt"]


def test_a_name_that_fits_two_files_fits_none(tmp_path, place):
    """Timestamps share the part before the dot: a missing pose must not be another's."""
    for number in range(2):
        place.image(tmp_path / f"train/rgb/1305.{number}.png")
        place.text(tmp_path / f"train/calibration/1305.{number}.txt", [[70.0]])
    place.text(tmp_path / "train/poses/1305.0.txt", place.pose(0))
    assert [s.name for s in open_scene(tmp_path).skipped] == ["train/rgb/1305.1.png"]

    (tmp_path / "train/rgb/1305.0.png").unlink()
    place.text(tmp_path / "train/poses/1305.2.txt", place.pose(2))
    with pytest.raises(SceneError, match="no pose"):
        open_scene(tmp_path)


def test_litter_is_no_frame(tmp_path, place):
    """What a Mac, a file server or an editor leaves beside files."""
    for number in range(3):
        _write(place, tmp_path, number)
    for path in list(tmp_path.glob("train/*/*")):
        path.with_name("._" + path.name).write_bytes(b"\0\5\26\7" + bytes(99))
    place.image(tmp_path / "train/rgb/.frame-000007.png")
    scene = open_scene(tmp_path)
    assert len(scene.mapping) == 3 and scene.skipped == () and scene.notes == ()
