"""Reading 7-Scenes, with either pose set."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import inverted, quaternion_from_rotation
from reloc.scenes import open_scene


@pytest.fixture
def root(tmp_path, place):
    """Two sequences of three frames; the first frame of each has depth."""
    for sequence in (1, 2):
        for number in range(3):
            stem = tmp_path / f"seq-{sequence:02d}" / f"frame-{number:06d}"
            place.image(stem.with_suffix(".color.png"), 640, 480)
            place.text(stem.with_suffix(".pose.txt"), place.pose(number + 3 * sequence))
        place.depth(tmp_path / f"seq-{sequence:02d}" / "frame-000000.depth.png", 640, 480)
    return tmp_path


def _pose_line(place, name, number, focal=""):
    cam_from_world = inverted(place.pose(number))
    values = [*quaternion_from_rotation(cam_from_world[:3, :3]), *cam_from_world[:3, 3]]
    return f"{name} {' '.join(repr(float(v)) for v in values)} {focal}\n"


def test_native_poses_reproject(root, place, seen_by):
    scene = open_scene(root)
    assert (scene.layout, scene.unit, len(scene.mapping)) == ("7scenes", "metre", 6)
    for frame, number in zip(scene.mapping, (3, 4, 5, 6, 7, 8), strict=True):
        expected = place.pinhole_pixels(number, 525, 525, 320, 240)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_depth_has_its_own_camera_and_only_where_there_is_a_file(root):
    depths = [frame.depth for frame in open_scene(root).mapping]
    assert [depth is not None for depth in depths] == [True, False, False] * 2
    assert depths[0].camera.params == (585, 585, 320, 240)
    assert depths[0].unit == 0.001


def test_smaller_images_get_a_smaller_camera(root, place):
    place.image(root / "seq-01/frame-000000.color.png", 320, 240)
    scene = open_scene(root)
    assert scene.mapping[0].camera.params == (262.5, 262.5, 160, 120)
    assert any("1 frames" in note and "scaled" in note for note in scene.notes)


def test_native_splits(root, place):
    place.text(root / "TrainSplit.txt", "sequence2\n")
    place.text(root / "TestSplit.txt", "sequence1\n")
    scene = open_scene(root)
    assert {frame.name[:6] for frame in scene.mapping} == {"seq-02"}
    assert {frame.name[:6] for frame in scene.queries} == {"seq-01"}


def test_sequences_in_no_split_are_left_out(root, place):
    place.text(root / "TrainSplit.txt", "sequence2\n")
    scene = open_scene(root)
    assert len(scene.mapping) == 3 and len(scene.skipped) == 3


def test_malformed_split(root, place):
    place.text(root / "TrainSplit.txt", "spam\n")
    with pytest.raises(SceneError, match=r"TrainSplit\.txt:1"):
        open_scene(root)


def test_pose_set_replaces_poses_and_focal(root, place, seen_by):
    lines = [
        _pose_line(place, "seq-01/frame-000000.color.jpg", 11, "530.5"),
        _pose_line(place, "seq-02/frame-000001.color.png", 12),
    ]
    file = place.text(root / "poses_sfm.txt", "# a comment\n" + "".join(lines))
    scene = open_scene(root, poses=file)
    assert len(scene.mapping) == 2
    assert all("pose set" in s.reason for s in scene.skipped) and len(scene.skipped) == 4
    first, second = scene.mapping
    expected = place.pinhole_pixels(11, 530.5, 530.5, 320, 240)
    np.testing.assert_allclose(seen_by(first), expected, atol=1e-6)
    expected = place.pinhole_pixels(12, 525, 525, 320, 240)
    np.testing.assert_allclose(seen_by(second), expected, atol=1e-6)


def test_pose_set_rescues_frames_whose_own_pose_is_bad(root, place):
    place.text(root / "seq-01/frame-000000.pose.txt", "spam")
    text = _pose_line(place, "seq-01/frame-000000.color.png", 1)
    file = place.text(root / "set.txt", text)
    assert [f.name for f in open_scene(root, poses=file).mapping] == [
        "seq-01/frame-000000.color.png"
    ]


def test_an_unused_pose_set_is_pointed_out(root, place):
    place.text(root / "poses_sfm.txt", "")
    assert any("poses_sfm.txt" in note for note in open_scene(root).notes)
