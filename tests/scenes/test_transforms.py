"""Reading transforms.json of nerfstudio and instant-ngp."""

import json
from typing import Any

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene

FOCAL = {"fl_x": 70, "fl_y": 90, "cx": 31, "cy": 25, "w": 64, "h": 48}
K = [[70, 0, 31], [0, 90, 25], [0, 0, 1]]
# OpenGL cameras look along -z with y up.
GL = np.diag([1.0, -1, -1, 1])
TWO_FRAMES: tuple[dict[str, Any], ...] = ({}, {})


@pytest.fixture
def write(tmp_path, place):
    """Writes a transforms file of some frames, each with its fields, over common ones."""

    def to_disk(common, frames=TWO_FRAMES, file="transforms.json", folder="images", listed=None):
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


@pytest.mark.parametrize(
    ("common", "own", "focals"),
    [
        (FOCAL, {"camera_angle_x": 0.5}, (32 / np.tan(0.25), 32 / np.tan(0.25))),
        (FOCAL, {"camera_angle_x": 0.5, "fl_y": 77}, (32 / np.tan(0.25), 77)),
        (FOCAL, {"fl_x": 77}, (77, 77)),
        (FOCAL, {"fl_x": None, "camera_angle_x": None}, (70, 90)),
        ({**FOCAL, "camera_angle_x": 0.1}, {"fl_x": 75, "fl_y": 76}, (75, 76)),
        ({"fl_x": 70}, {"fl_y": 90}, (70, 90)),
    ],
)
def test_the_focal_lengths_of_a_frame_replace_those_of_the_file(write, common, own, focals):
    first, second = open_scene(write(common, (own, own))).mapping
    assert (second.camera.fx, second.camera.fy) == pytest.approx(focals)
    assert first.camera == second.camera


@pytest.mark.parametrize("mark", [1, 1.0, True])
def test_marks_may_be_numbers(write, mark):
    assert open_scene(write({**FOCAL, "is_fisheye": mark})).mapping[0].camera.model == (
        "OPENCV_FISHEYE"
    )
    with pytest.raises(SceneError, match="cut it into perspective views"):
        open_scene(write({**FOCAL, "equirectangular": mark}))


@pytest.mark.parametrize("mark", [0, False, None])
def test_marks_that_are_not_set(write, mark):
    common = {**FOCAL, "is_fisheye": mark, "equirectangular": mark, "latlong": mark}
    assert open_scene(write(common)).mapping[0].camera.model == "PINHOLE"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"latlong": True}, "cut it into perspective views"),
        ({"camera_model": "VR180_L"}, "cut it into perspective views"),
        ({"ftheta_p0": 0.1}, "undistort"),
        ({"is_fisheye": "yes"}, "neither true nor false"),
        ({"camera_model": "FISHEYE624"}, "FISHEYE624"),
        ({"camera_model": 7}, "unknown camera_model 7"),
    ],
)
def test_lenses_that_are_not_read_say_so(write, fields, reason):
    with pytest.raises(SceneError, match=reason):
        open_scene(write({**FOCAL, **fields}))


def test_a_fisheye_with_tangential_coefficients_is_told_once(write):
    scene = open_scene(write({**FOCAL, "is_fisheye": True, "k1": 0.1, "p1": 0.01}))
    assert scene.mapping[0].camera.distortion == (0.1, 0, 0, 0)
    assert [note[:8] for note in scene.notes] == ["2 frames"]


@pytest.mark.parametrize("listed", [lambda n: n[:-4], lambda n: n, lambda n: f"./{n}"])
@pytest.mark.parametrize("suffix", ["", ".png", ".JPG"])
def test_split_lists_may_have_other_suffixes(write, listed, suffix):
    names = [f"./images/{n:04d}{suffix}" for n in range(5)]
    lists = {"train_filenames": names[:3], "test_filenames": names[3:]}
    scene = open_scene(write({**FOCAL, **lists}, [{}] * 5, listed=listed))
    assert (len(scene.mapping), len(scene.queries), scene.skipped) == (3, 2, ())


@pytest.mark.parametrize(("unit", "expected"), [(None, 0.001), (0.0002, 0.0002), (1, 1.0)])
def test_depth_is_read(write, place, unit, expected):
    frames = [{"depth_file_path": "depths/0.png"}, {}, {"depth_file_path": "depths/none.png"}]
    root = write({**FOCAL, **({"depth_unit_scale_factor": unit} if unit else {})}, frames)
    place.depth(root / "depths/0.png", 32, 24)
    first, second, third = open_scene(root).mapping
    assert (first.depth.unit, first.depth.path) == (expected, root / "depths/0.png")
    assert first.depth.camera.params == (35, 45, 15.5, 12.5)
    assert second.depth is None and third.depth is None
    assert [note[:26] for note in open_scene(root).notes] == ["1 frames: depth left out, "]


def test_masks_are_told_once_and_missing_ones_too(write, place):
    root = write(FOCAL, [{"mask_path": f"masks/{n}.png"} for n in range(3)])
    (note,) = open_scene(root).notes
    assert note.startswith("3 frames: mask left out, for instance of images/0000.png: ")
    place.image(root / "masks/1.png")
    scene = open_scene(root)
    assert [frame.mask is not None for frame in scene.mapping] == [False, True, False]
    assert scene.notes[1] == "1 of 3 frames have a mask; what is black in it is not mapped"


def test_smaller_images_need_the_size_of_the_camera(write, place):
    root = write({"fl_x": 70}, [{}] * 2)
    (root / "images").rename(root / "images_4")
    with pytest.raises(SceneError, match="no w and h"):
        open_scene(root)
    text = (root / "transforms.json").read_text()
    (root / "transforms.json").write_text(json.dumps({**json.loads(text), "w": 128, "h": 96}))
    assert open_scene(root).mapping[0].camera.fx == 35
