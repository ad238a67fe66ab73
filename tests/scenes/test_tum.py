"""Reading TUM RGB-D sequences."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import inverted, pose_error, pose_from, quaternion_from_rotation
from reloc.geometry import rotation_from_vector as turned
from reloc.scenes import open_scene


def _truth_line(time, pose):
    w, x, y, z = quaternion_from_rotation(pose[:3, :3])
    return f"{time} " + " ".join(repr(float(v)) for v in (*pose[:3, 3], x, y, z, w)) + "\n"


@pytest.fixture
def write(tmp_path, place):
    """A sequence of four images at whole seconds with exact ground truth and two depth images."""

    def to_disk(folder="rgbd_dataset_freiburg3_desk", width=640, height=480):
        root = tmp_path / folder
        for number in range(4):
            place.image(root / f"rgb/{number}.000.png", width, height)
        for number in (1, 3):
            place.depth(root / f"depth/{number}.015.png", width, height)
        header = "# colour images\n# timestamp filename\n"
        lines = "".join(f"{n}.000 rgb/{n}.000.png\n" for n in range(4))
        place.text(root / "rgb.txt", header + lines)
        lines = "".join(f"{n}.015 depth/{n}.015.png\n" for n in (1, 3))
        place.text(root / "depth.txt", header + lines)
        lines = "".join(_truth_line(f"{n}.000", place.pose(n)) for n in range(4))
        place.text(root / "groundtruth.txt", header + lines)
        return root

    return to_disk


@pytest.mark.parametrize(
    ("folder", "k", "distortion"),
    [
        (
            "rgbd_dataset_freiburg1_xyz",
            (517.3, 516.5, 318.6, 255.3),
            (0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
        ),
        ("fr2_desk", (520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
        ("rgbd_dataset_freiburg3_desk", (535.4, 539.2, 320.1, 247.6), (0, 0, 0, 0, 0)),
    ],
)
def test_cameras_of_the_data_set_reproject(write, place, seen_by, folder, k, distortion):
    scene = open_scene(write(folder))
    assert (scene.layout, scene.unit, len(scene.mapping)) == ("tum", "metre", 4)
    fx, fy, cx, cy = k
    for number, frame in enumerate(scene.mapping):
        assert frame.time == number
        matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
        expected = place.opencv_pixels(number, matrix, distortion)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_calibration_file_wins(write, place, seen_by):
    root = write(width=64, height=48)
    place.text(root / "calibration.txt", "70 75 30 26 0.1 -0.05 0.01 -0.02 0.03")
    matrix = [[70, 0, 30], [0, 75, 26], [0, 0, 1]]
    for number, frame in enumerate(open_scene(root).mapping):
        expected = place.opencv_pixels(number, matrix, (0.1, -0.05, 0.01, -0.02, 0.03))
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


def test_depth_is_registered_to_color_and_in_fifths_of_a_millimetre(write):
    depths = [frame.depth for frame in open_scene(write()).mapping]
    assert [depth is not None for depth in depths] == [False, True, False, True]
    assert depths[1].unit == pytest.approx(0.0002)
    assert depths[1].path.name == "1.015.png"
    assert depths[1].camera == open_scene(write()).mapping[1].camera


def test_poses_are_interpolated(write, place):
    root = write()
    before = place.pose(0)
    step = pose_from(turned((0.01, -0.02, 0.01)), (0.01, 0.02, -0.01))
    after = before @ step @ step
    lines = _truth_line("0.99", before) + _truth_line("1.01", after)
    place.text(root / "groundtruth.txt", lines)
    (frame,) = open_scene(root).mapping
    distance, angle = pose_error(frame.world_from_cam, before @ step)
    assert distance < 1e-3 and angle < 0.01


def test_both_signs_of_a_quaternion_are_the_same_rotation(write, place):
    root = write()
    first = _truth_line("0.99", place.pose(0))
    words = first.split()
    flipped = ["1.01", *words[1:4], *(repr(-float(word)) for word in words[4:])]
    place.text(root / "groundtruth.txt", first + " ".join(flipped) + "\n")
    (frame,) = open_scene(root).mapping
    np.testing.assert_allclose(frame.world_from_cam, place.pose(0), atol=1e-9)


def test_nearest_pose_where_only_one_side_has_one(write, place):
    root = write()
    lines = _truth_line("1.015", place.pose(5)) + _truth_line("2.5", place.pose(6))
    place.text(root / "groundtruth.txt", lines)
    scene = open_scene(root)
    (frame,) = scene.mapping
    np.testing.assert_allclose(frame.world_from_cam, place.pose(5), atol=1e-9)
    assert len(scene.skipped) == 3 and "within 20 ms" in scene.skipped[0].reason


def test_lost_tracking_is_no_neighbour(write, place):
    root = write()
    text = (root / "groundtruth.txt").read_text()
    lost = "0.9999 nan nan nan nan nan nan nan\n2.0001 0 0 0 0 0 0 0\n"
    place.text(root / "groundtruth.txt", text + lost)
    frames = open_scene(root).mapping
    np.testing.assert_allclose(frames[1].world_from_cam, place.pose(1), atol=1e-9)
    np.testing.assert_allclose(frames[2].world_from_cam, place.pose(2), atol=1e-9)
    assert pose_error(inverted(frames[3].world_from_cam), inverted(place.pose(3)))[0] < 1e-9


def test_unknown_camera_tells_the_remedy(write):
    with pytest.raises(SceneError, match=r"calibration\.txt"):
        open_scene(write("my_recording"))


@pytest.mark.parametrize("text", ["", "1 2 3", "spam", "-1 2 3 4", "nan 1 1 1"])
def test_bad_calibration(write, place, text):
    root = write()
    place.text(root / "calibration.txt", text)
    with pytest.raises(SceneError, match="no usable frame"):
        open_scene(root)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("rgb.txt", "1.0"),
        ("rgb.txt", "x rgb/1.png"),
        ("depth.txt", "nan depth/1.png"),
        ("groundtruth.txt", "1 2 3"),
        ("groundtruth.txt", "1 2 3 4 5 6 7 x"),
        ("groundtruth.txt", "nan 0 0 0 0 0 0 1"),
    ],
)
def test_malformed_lists_name_the_line(write, place, file, line):
    root = write()
    place.text(root / file, f"# comment\n{line}\n")
    with pytest.raises(SceneError, match=f"{file}:2"):
        open_scene(root)


def test_paths_that_lead_out_are_skipped(write, place):
    root = write()
    text = (root / "rgb.txt").read_text()
    place.text(root / "rgb.txt", text + "3.001 /etc/hostname\n")
    assert "leads out" in open_scene(root).skipped[0].reason


def test_truth_of_another_rate_is_interpolated_exactly(tmp_path, place):
    """Truth at 25 Hz, images at 30: 1 m/s along x, half a radian a second about z."""
    times = np.arange(20) / 30
    for time in times:
        place.image(tmp_path / f"rgb/{time:.6f}.png")
    place.text(tmp_path / "calibration.txt", "70 70 32 24")
    place.text(tmp_path / "rgb.txt", "".join(f"{t:.9f} rgb/{t:.6f}.png\n" for t in times))
    place.text(
        tmp_path / "groundtruth.txt",
        "".join(
            f"{t:.9f} {t:.9f} 0 0 0 0 {np.sin(t / 4):.12f} {np.cos(t / 4):.12f}\n"
            for t in np.arange(20) / 25
        ),
    )
    scene = open_scene(tmp_path)
    assert len(scene.mapping) == 20 and scene.notes == ()
    for frame in scene.mapping:
        expected = pose_from(turned((0, 0, frame.time / 2)), (frame.time, 0, 0))
        np.testing.assert_allclose(frame.world_from_cam, expected, atol=1e-6)


def test_turns_are_even_over_a_long_step(write, place):
    root = write()
    ends = [pose_from(turned((0, angle, 0)), (0, 0, 0)) for angle in (0.0, 2.0)]
    lines = _truth_line("0.975", ends[0]) + _truth_line("1.075", ends[1])
    place.text(root / "groundtruth.txt", lines)
    (frame,) = open_scene(root).mapping
    expected = pose_from(turned((0, 0.5, 0)), (0, 0, 0))
    np.testing.assert_allclose(frame.world_from_cam, expected, atol=1e-9)


def test_nearest_poses_are_told_with_how_far_away_they_are(write, place):
    root = write()
    lines = _truth_line("0.988", place.pose(5)) + _truth_line("1.2", place.pose(6))
    place.text(root / "groundtruth.txt", lines)
    assert "1 frames: the pose is the nearest one, up to 12 ms away" in open_scene(root).notes[0]
