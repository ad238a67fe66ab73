"""What is asked of a scene before it is mapped, and of every frame."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.scenes import Frame, Scene, Skipped, check_mappable
from reloc.scenes.checks import checked_scene
from reloc.scenes.raw import RawDepth, RawFrame, RawScene


def _scene(poses, *, unit="unknown", skipped=()):
    camera = Camera.pinhole(width=64, height=48, fx=70)
    frames = tuple(
        Frame(f"{n}.png", Path(f"{n}.png"), camera, pose) for n, pose in enumerate(poses)
    )
    return Scene("room", Path("room"), "ace", frames, unit=unit, skipped=skipped)


def _moved(poses, shift, factor=1.0):
    result = []
    for pose in poses:
        pose = pose.copy()
        pose[:3, 3] = pose[:3, 3] * factor + shift
        result.append(pose)
    return result


def test_a_ring_of_cameras_is_mappable(place):
    check_mappable(_scene([place.pose(n) for n in range(5)], unit="metre"))


def test_too_few_frames_tell_why(place):
    skipped = (Skipped("9.png", "no pose"),)
    with pytest.raises(SceneError, match=r"4 usable mapping frames.*at least 5.*no pose"):
        check_mappable(_scene([place.pose(n) for n in range(4)], skipped=skipped))


@pytest.mark.parametrize("center", [(0, 0, 0), (1, 2, 3), (4e6, 1e6, 5e6)])
@pytest.mark.parametrize("unit", ["metre", "unknown"])
def test_one_spot_is_an_error(place, unit, center):
    poses = _moved([place.pose(n) for n in range(6)], np.array(center), factor=0.0)
    with pytest.raises(SceneError, match="all 6 mapping frames were taken from one spot"):
        check_mappable(_scene(poses, unit=unit))


def test_rounding_does_not_make_two_spots(place):
    """Camera-from-world with the last digits lost: centres differ by nothing but rounding."""
    noise = np.random.default_rng(0).uniform(-1e-9, 1e-9, (6, 3))
    poses = _moved([place.pose(n) for n in range(6)], np.array((1, 2, 3)), factor=0.0)
    for pose, shake in zip(poses, noise, strict=True):
        pose[:3, 3] += shake
    with pytest.raises(SceneError, match="one spot"):
        check_mappable(_scene(poses))


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_the_unit_of_length_does_not_matter(place, factor):
    check_mappable(_scene(_moved([place.pose(n) for n in range(6)], 0.0, factor)))


def test_a_room_in_a_national_grid_is_mappable(place):
    poses = _moved([place.pose(n) for n in range(6)], np.array((4e6, 1e6, 5e6)))
    check_mappable(_scene(poses))


def test_poses_are_made_rigid(tmp_path, place):
    rounded = np.round(place.pose(3), 4)
    camera = Camera.pinhole(width=64, height=48, fx=70)
    frame = RawFrame("a.png", place.image(tmp_path / "a.png"), camera, rounded)
    pose = checked_scene(RawScene((frame,)), root=tmp_path, layout="x").mapping[0].world_from_cam
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(pose, rounded, atol=1e-3)


def test_cameras_at_the_end_of_the_world_are_skipped(tmp_path, place):
    pose = place.pose(0)
    pose[0, 3] = 1e300
    camera = Camera.pinhole(width=64, height=48, fx=70)
    frame = RawFrame("a.png", place.image(tmp_path / "a.png"), camera, pose)
    with pytest.raises(SceneError, match="far from the origin"):
        checked_scene(RawScene((frame,)), root=tmp_path, layout="x")


def test_a_mapping_frame_needs_a_pose_and_a_query_does_not(tmp_path, place):
    camera = Camera.pinhole(width=64, height=48, fx=70)
    image = place.image(tmp_path / "a.png")
    raw = RawScene(
        (
            RawFrame("a.png", image, camera, None),
            RawFrame("b.png", image, camera, None, part="query"),
        )
    )
    scene = checked_scene(raw, root=tmp_path, layout="x")
    assert [f.name for f in scene.queries] == ["b.png"]
    assert scene.skipped == (Skipped("a.png", "no pose"),)
    assert any("1 frames: skipped" in note for note in scene.notes)


@pytest.mark.parametrize("scale", [0.2515, 3.0, 100.0])
def test_a_scale_of_the_rotation_is_taken_out_and_told_once(tmp_path, place, scale):
    frames = []
    for number in range(6):
        pose = place.pose(number)
        pose[:3, :3] *= scale
        image = place.image(tmp_path / f"{number}.png")
        camera = Camera.pinhole(width=64, height=48, fx=70)
        frames.append(RawFrame(image.name, image, camera, pose))
    scene = checked_scene(RawScene(tuple(frames)), root=tmp_path, layout="ace")
    for number, frame in enumerate(scene.mapping):
        np.testing.assert_allclose(frame.world_from_cam, place.pose(number), atol=1e-9)
    (note,) = scene.notes
    assert note.startswith("6 frames: ") and f"{scale:.4g} of 0.png" in note


@pytest.mark.parametrize("axes", [(2, 2, 3), (1, 1, 0.5), (-2, 2, 2), (0, 0, 0), (1e200,) * 3])
def test_what_is_no_scaled_rotation_is_no_pose(tmp_path, place, axes):
    pose = place.pose(0)
    pose[:3, :3] *= axes
    image = place.image(tmp_path / "0.png")
    camera = Camera.pinhole(width=64, height=48, fx=70)
    raw = RawScene((RawFrame("0.png", image, camera, pose),))
    with pytest.raises(SceneError, match=r"no rotation|reflection"), np.errstate(over="ignore"):
        checked_scene(raw, root=tmp_path, layout="ace")


def test_what_is_true_of_many_frames_is_one_note(tmp_path, place):
    """Also where each has an example of its own, such as the file of its depth."""
    frames = []
    for number in range(6):
        image = place.image(tmp_path / f"{number}.png")
        camera = Camera.pinhole(width=32, height=24, fx=35)
        depth = RawDepth(place.text(tmp_path / f"depth{number}.png", "no image"))
        frames.append(RawFrame(image.name, image, camera, place.pose(number), depth=depth))
    scene = checked_scene(RawScene(tuple(frames)), root=tmp_path, layout="ace")
    kinds = ["6 frames: the image ha", "6 frames: depth left o"]
    assert [note[:22] for note in scene.notes] == kinds


@pytest.mark.parametrize(("tag", "turn"), [(6, 1), (8, 3)])
def test_stored_turned_with_the_camera_of_the_upright_picture(tmp_path, place, tag, turn):
    """Pixels of the stored image turn with the picture; a point is seen where it is stored."""
    upright = Camera("OPENCV", 48, 64, (60, 62, 23, 33, 0.05, -0.01, 0.002, 0.001))
    image = Image.new("RGB", (64, 48))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    image.save(tmp_path / "turned.jpg", exif=exif)
    raw = RawFrame("turned.jpg", tmp_path / "turned.jpg", upright, place.pose(2))
    scene = checked_scene(RawScene((raw,)), root=tmp_path, layout="test")
    (frame,) = scene.mapping
    assert (frame.camera.width, frame.camera.height) == (64, 48)
    assert scene.notes[0].startswith("1 frames: stored turned, as its EXIF says")
    cam_from_world = np.linalg.inv(place.pose(2))
    x, y = upright.project(place.points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]).T
    # Clockwise once, (u, v) of the stored image comes to (48 - v, u) of the upright one.
    expected = np.stack([y, 48 - x] if turn == 1 else [64 - y, x], axis=1)
    cam_from_world = np.linalg.inv(frame.world_from_cam)
    seen = frame.camera.project(place.points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3])
    np.testing.assert_allclose(seen, expected, atol=1e-9)


def test_turned_without_a_word_is_left_out(tmp_path, place):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    camera = Camera.pinhole(width=48, height=64, fx=60)
    raw = RawScene((RawFrame("a.jpg", tmp_path / "a.jpg", camera, place.pose(0)),))
    with pytest.raises(SceneError, match="turned by 90 degrees"):
        checked_scene(raw, root=tmp_path, layout="test")
