"""Reading transforms.json of nerfstudio and instant-ngp."""

import json

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene

FOCAL = {"fl_x": 70, "fl_y": 90, "cx": 31, "cy": 25, "w": 64, "h": 48}
K = [[70, 0, 31], [0, 90, 25], [0, 0, 1]]
# OpenGL cameras look along -z with y up.
GL = np.diag([1.0, -1, -1, 1])


@pytest.fixture
def write(tmp_path, place):
    """Writes a transforms file of some frames, each with its fields, over common ones."""

    def to_disk(common, frames=({}, {}), file="transforms.json", folder="images", listed=None):
        entries = []
        for number, fields in enumerate(frames):
            name = f"{folder}/{number:04d}.png"
            width, height = (
                fields.get("w", common.get("w", 64)),
                fields.get("h", common.get("h", 48)),
            )
            place.image(tmp_path / name, int(width), int(height))
            matrix = (place.pose(number) @ GL).tolist()
            path = listed(name) if listed else name
            entries.append({"file_path": path, "transform_matrix": matrix, **fields})
        (tmp_path / file).write_text(json.dumps({**common, "frames": entries}))
        return tmp_path

    return to_disk


def test_pinhole_reprojects(write, place, seen_by):
    scene = open_scene(write(FOCAL))
    assert (scene.layout, scene.unit) == ("transforms", "unknown")
    for number, frame in enumerate(scene.mapping):
        expected = place.pinhole_pixels(number, 70, 90, 31, 25)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "distortion", "model"),
    [
        ({"k1": 0.1, "k2": -0.05, "p1": 0.01, "p2": -0.02}, (0.1, -0.05, 0.01, -0.02), "OPENCV"),
        ({"k1": 0.1, "camera_model": "OPENCV"}, (0.1, 0, 0, 0), "OPENCV"),
        ({"k1": 0.1, "k2": 0.02, "k3": 0.03}, (0.1, 0.02, 0, 0, 0.03), "FULL_OPENCV"),
        ({"k1": 0.1, "camera_model": "PINHOLE"}, (0.1, 0, 0, 0), "OPENCV"),
        ({"k1": 0.1, "camera_model": "SIMPLE_PINHOLE"}, (0.1, 0, 0, 0), "OPENCV"),
        ({"k1": 0, "p1": None, "camera_model": "pinhole"}, (0, 0, 0, 0), "PINHOLE"),
        ({"camera_model": "SIMPLE_PINHOLE"}, (0, 0, 0, 0), "PINHOLE"),
    ],
)
def test_distortion_reprojects(write, place, seen_by, fields, distortion, model):
    for number, frame in enumerate(open_scene(write({**FOCAL, **fields})).mapping):
        assert frame.camera.model == model
        expected = place.opencv_pixels(number, K, distortion)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


@pytest.mark.parametrize("mark", [{"camera_model": "OPENCV_FISHEYE"}, {"is_fisheye": True}])
def test_fisheye_reprojects(write, place, seen_by, mark):
    coefficients = {"k1": 0.1, "k2": -0.05, "k3": 0.01, "k4": -0.02}
    for number, frame in enumerate(open_scene(write({**FOCAL, **coefficients, **mark})).mapping):
        expected = place.opencv_pixels(number, K, (0.1, -0.05, 0.01, -0.02), fisheye=True)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_intrinsics_of_a_frame_win(write, place, seen_by):
    portrait = {"fl_x": 50, "fl_y": 55, "cx": 20, "cy": 33, "w": 48, "h": 64}
    first, second = open_scene(write(FOCAL, ({}, portrait))).mapping
    expected = place.pinhole_pixels(0, 70, 90, 31, 25)
    np.testing.assert_allclose(seen_by(first), expected, atol=1e-6)
    expected = place.pinhole_pixels(1, 50, 55, 20, 33)
    np.testing.assert_allclose(seen_by(second), expected, atol=1e-6)
    assert (second.camera.width, second.camera.height) == (48, 64)


def test_field_of_view_and_image_size_will_do(write):
    angle = 2 * np.arctan(32 / 70)
    camera = open_scene(write({"camera_angle_x": angle})).mapping[0].camera
    assert camera.params == pytest.approx((70, 70, 32, 24))


def test_both_fields_of_view(write):
    angles = {"camera_angle_x": 2 * np.arctan(32 / 70), "camera_angle_y": 2 * np.arctan(24 / 90)}
    assert open_scene(write(angles)).mapping[0].camera.params == pytest.approx((70, 90, 32, 24))


def test_focal_is_for_the_size_that_the_file_tells(write, place):
    root = write(FOCAL)
    place.image(root / "images/0000.png", 128, 96)
    assert open_scene(root).mapping[0].camera.params == (140, 180, 62, 50)


@pytest.mark.parametrize("listed", [lambda n: f"./{n}", lambda n: n[:-4], lambda n: f"./{n[:-4]}"])
def test_spellings_of_the_path(write, listed):
    assert [f.name for f in open_scene(write(FOCAL, listed=listed)).mapping] == [
        "images/0000.png",
        "images/0001.png",
    ]


def test_absolute_paths_inside_are_fine_and_outside_are_not(write, tmp_path):
    root = write(FOCAL, listed=lambda n: f"{tmp_path}/{n}" if "0000" in n else "../other/1.png")
    scene = open_scene(root)
    assert [f.name for f in scene.mapping] == ["images/0000.png"]
    assert "leads out of" in scene.skipped[0].reason


def test_applied_transform_leaves_the_poses_as_they_are(write, place):
    transform = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]]
    scene = open_scene(write({**FOCAL, "applied_transform": transform}))
    np.testing.assert_allclose(scene.mapping[1].world_from_cam, place.pose(1), atol=1e-9)
    assert any("applied_transform" in note for note in scene.notes)


def test_split_lists(write):
    lists = {
        "train_filenames": ["./images/0000.png", "images/0001.png"],
        "val_filenames": ["images/0002.png"],
        "test_filenames": ["images/0002.png", "images/0003.png"],
    }
    scene = open_scene(write({**FOCAL, **lists}, [{}] * 5))
    assert len(scene.mapping) == 2 and len(scene.queries) == 2 and len(scene.skipped) == 1


def test_split_files(write):
    write(FOCAL, [{}] * 3, file="transforms_train.json", folder="train")
    scene = open_scene(write(FOCAL, [{}] * 2, file="transforms_test.json", folder="test"))
    assert len(scene.mapping) == 3 and len(scene.queries) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"transform_matrix": None}, "transform_matrix"),
        ({"transform_matrix": [[1, 2], [3]]}, "transform_matrix"),
        ({"transform_matrix": "spam"}, "transform_matrix"),
        ({"transform_matrix": [[float("nan")] * 4] * 4}, "NaN"),
        ({"transform_matrix": [[1e300] * 4] * 3 + [[0, 0, 0, 1]]}, "no rotation"),
        ({"transform_matrix": np.diag([1, 1, -1, 1]).tolist()}, "reflection"),
        ({"fl_x": "70"}, "fl_x"),
        ({"fl_x": float("nan")}, "fl_x"),
        ({"fl_x": -1}, "not positive"),
        ({"w": 1e400}, "w is not"),
        ({"w": 0}, "impossible image size"),
        ({"w": 48, "h": 64}, "turned"),
        ({"k1": [1]}, "k1"),
        ({"k4": 0.1}, "k4"),
        ({"camera_model": "EQUIRECTANGULAR"}, "cut it into perspective views"),
        ({"file_path": 7}, "file_path"),
        ({"file_path": "images/none.png"}, "no such image"),
        ({"file_path": "images/0000.png"}, "same name"),
        ({"file_path": "a\0b.png"}, "leads out"),
    ],
)
def test_bad_frames_are_skipped_with_the_reason(write, place, fields, reason):
    root = write(FOCAL)
    path = root / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"][1].update(fields)
    path.write_text(json.dumps(content))
    scene = open_scene(root)
    assert [f.name for f in scene.mapping] == ["images/0000.png"]
    assert reason in scene.skipped[0].reason


def test_no_focal_length(write):
    with pytest.raises(SceneError, match="no focal length"):
        open_scene(write({"w": 64, "h": 48}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"spam",
        b"[]",
        b"{}",
        b'{"frames": 3}',
        b'{"frames": [null, 3, "x", {}]}',
        b'{"frames": []}',
        b"[" * 200_000,
        b"\xff\xfe\x00\x01",
        b'{"frames": [], "train_filenames": 7}',
        b'{"frames": [{"file_path": "a", "fl_x": 1' + b"0" * 5000 + b"}]}",
    ],
)
def test_garbage_is_an_error(tmp_path, content):
    (tmp_path / "transforms.json").write_bytes(content)
    with pytest.raises(SceneError):
        open_scene(tmp_path)
