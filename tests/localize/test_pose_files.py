"""Pose files: what is written reads back as the same camera, judged by where points project."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.errors import OptionError, OutputError, SceneError
from reloc.geometry import (
    Camera,
    inverted,
    look_at,
    pose_error,
    rotation_from_quaternion,
    transformed,
)
from reloc.localize.estimate import Estimate
from reloc.localize.pose_files import (
    POSE_FORMATS,
    read_ace,
    read_estimates,
    read_tum,
    write_poses,
)
from reloc.scenes.colmap_model import read_cameras, read_posed_images
from reloc.scenes.scene import Frame

POINTS = np.random.default_rng(5).uniform(-1, 1, (40, 3))
CAMERAS = [
    Camera.pinhole(width=640, height=480, fx=510, fy=520, cx=318),
    Camera("SIMPLE_RADIAL", 480, 853, (700.5, 240.25, 426.5, 0.03)),
]
NAMES = ["seq/b.jpg", "seq/a.jpg", "c.jpg", "lost.jpg", "rejected.jpg"]
POSES = [look_at((5 + i, 1 - 3 * i, 2), (0, 0, 0.1 * i)) for i in range(5)]


def frames(*, times: list[float | None] | None = None, truth: bool = False) -> list[Frame]:
    return [
        Frame(
            name,
            Path(name),
            CAMERAS[i % 2],
            look_at((5 + i, 1 - 3 * i, 2.1), (0, 0, 0)) if truth else None,
            time=times[i] if times else None,
        )
        for i, name in enumerate(NAMES)
    ]


def estimates() -> list[Estimate]:
    """Three that are localized, one without a pose, one with a pose that is not trusted."""
    seconds = {"pose": 0.5}
    found = [
        Estimate(NAMES[i], True, POSES[i], 100 + i, 0.5, 0.9, np.eye(6) * i, seconds)
        for i in range(3)
    ]
    lost = Estimate(NAMES[3], False, None, reason="no four points agree")
    rejected = Estimate(NAMES[4], False, POSES[4], 12, 0.01, 0.2, np.eye(6), reason="12 inliers")
    # Shuffled: what belongs together is told by names.
    return [rejected, found[2], lost, found[0], found[1]]


def same_view(pose: np.ndarray, expected: np.ndarray, camera: Camera) -> None:
    """Both poses see the known points at the same pixels."""
    actual, wanted = (camera.project(transformed(inverted(p), POINTS)) for p in (pose, expected))
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(actual, wanted, atol=1e-6)


def test_json_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "poses.json"
    write_poses(path, estimates(), frames(), format="json")
    read = {e.image: e for e in read_estimates(path)}
    assert list(read) == NAMES
    for i in range(3):
        np.testing.assert_array_equal(read[NAMES[i]].world_from_cam, POSES[i])
        np.testing.assert_array_equal(read[NAMES[i]].covariance, np.eye(6) * i)
        assert read[NAMES[i]].localized
        assert read[NAMES[i]].inliers == 100 + i
        assert read[NAMES[i]].seconds == {"pose": 0.5}
    for name, reason in ((NAMES[3], "no four points agree"), (NAMES[4], "12 inliers")):
        assert not read[name].localized
        assert read[name].world_from_cam is None
        assert read[name].reason == reason


def test_json_tells_of_landmarks(tmp_path: Path) -> None:
    told = Estimate(
        NAMES[0], True, POSES[0], confidence=0.8, landmark_inliers=70, landmarks_alone=True,
        contradicted=True,
    )  # fmt: skip
    write_poses(tmp_path / "p.json", [told], frames()[:1], format="json")
    (read,) = read_estimates(tmp_path / "p.json")
    assert (read.landmark_inliers, read.landmarks_alone, read.contradicted) == (70, True, True)


def test_json_tells_the_place_of_aligned_maps_alone(tmp_path: Path) -> None:
    move = Similarity(2.0, translation=np.array([1.0, 2, 3]))
    plain = Estimate(NAMES[0], True, POSES[0], confidence=0.8)
    for alignment, keys in (
        (None, set()),
        (Alignment(move), {"aligned_from_cam"}),
        (Alignment(move, origin=Geodetic(48, 16, 100)), {"aligned_from_cam", "geopose"}),
    ):
        told = replace(plain, alignment=alignment)
        write_poses(tmp_path / "p.json", [told], frames()[:1], format="json")
        (row,) = json.loads((tmp_path / "p.json").read_text())["estimates"]
        assert set(row) & {"aligned_from_cam", "geopose"} == keys
        if keys:
            np.testing.assert_array_equal(row["aligned_from_cam"], move.pose(POSES[0]))
        assert read_estimates(tmp_path / "p.json")[0].localized
    assert row["geopose"]["position"]["lat"] == pytest.approx(48, abs=1e-3)
    write_poses(tmp_path / "p.json", [replace(told, localized=False)], frames()[:1], format="json")
    assert "geopose" not in (tmp_path / "p.json").read_text()


def test_json_is_strict(tmp_path: Path) -> None:
    broken = np.full((4, 4), np.nan)
    write_poses(
        tmp_path / "p.json",
        [Estimate(NAMES[0], True, broken, confidence=float("nan"))],
        frames()[:1],
        format="json",
    )
    text = (tmp_path / "p.json").read_text(encoding="utf-8")
    row = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))["estimates"][0]
    assert row["localized"] is False
    assert row["world_from_cam"] is None
    assert row["confidence"] is None


def test_tum_by_rising_time(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    times = [1305031102.175304, 1305031101.5, 1305031103.25, 1.0, 2.0]
    write_poses(path, estimates(), frames(times=times), format="tum")
    read_times, poses = read_tum(path)
    assert read_times.tolist() == [times[1], times[0], times[2]]
    for pose, index in zip(poses, (1, 0, 2), strict=True):
        same_view(pose, POSES[index], CAMERAS[index % 2])


def test_tum_line_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    # A quarter turn about y: the camera at (1, 2, 3) looks along +x.
    pose = np.array([[0, 0, 1, 1], [0, 1, 0, 2], [-1, 0, 0, 3], [0, 0, 0, 1.0]])
    write_poses(path, [Estimate(NAMES[1], True, pose)], frames(), format="tum")
    line = path.read_text().splitlines()[-1]
    # The index of the frame stands for the time that nobody knows.
    np.testing.assert_allclose(
        [float(v) for v in line.split()], [1, 1, 2, 3, 0, 0.5**0.5, 0, 0.5**0.5], atol=1e-12
    )


def test_tum_takes_no_mixture_of_times_and_indices(tmp_path: Path) -> None:
    write_poses(tmp_path / "p.txt", estimates(), frames(times=[9.5, None, 7.5, 8, 9]), format="tum")
    assert read_tum(tmp_path / "p.txt")[0].tolist() == [0, 1, 2]


def test_colmap_reads_with_pycolmap(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    folder = tmp_path / "model"
    write_poses(folder, estimates(), frames(), format="colmap")
    model = pycolmap.Reconstruction(str(folder))
    images = {image.name: image for image in model.images.values()}
    assert sorted(images) == sorted(NAMES[:3])
    assert len(model.cameras) == 2
    for i in range(3):
        expected = CAMERAS[i % 2].project(transformed(inverted(POSES[i]), POINTS))
        actual = [images[NAMES[i]].project_point(point) for point in POINTS]
        np.testing.assert_allclose(np.array(actual), expected, atol=1e-6)


def test_colmap_leaves_other_models_alone(tmp_path: Path) -> None:
    (tmp_path / "points3D.txt").write_text("1 0 0 0 255 255 255 0.5 1 0\n")
    with pytest.raises(OutputError, match="choose another folder"):
        write_poses(tmp_path, estimates(), frames(), format="colmap")
    assert [p.name for p in tmp_path.iterdir()] == ["points3D.txt"]


def test_ace_line_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    pose = np.array([[0, 0, 1, 1], [0, 1, 0, 2], [-1, 0, 0, 3], [0, 0, 0, 1.0]])
    truth = np.eye(4)
    truth[:3, 3] = (1, 2, 2.5)
    frame = Frame("seq 1/ä.png", Path("x"), CAMERAS[0], truth)
    write_poses(path, [Estimate(frame.name, True, pose, inliers=77)], [frame], format="ace")
    line = path.read_text(encoding="utf-8")
    assert line.startswith("seq 1/ä.png ")
    # Camera from world: the inverse turn, and -R'c = (3, -2, -1).
    np.testing.assert_allclose(
        [float(v) for v in line.split()[2:]],
        [0.5**0.5, 0, -(0.5**0.5), 0, 3, -2, -1, 90, 0.5, 77],
        atol=1e-12,
    )


def test_ace_counts_landmarks_where_heads_were_not_asked(tmp_path: Path) -> None:
    estimate = Estimate(NAMES[0], True, POSES[0], landmark_inliers=70, landmarks_alone=True)
    write_poses(tmp_path / "p.txt", [estimate], frames()[:1], format="ace")
    assert (tmp_path / "p.txt").read_text(encoding="utf-8").endswith(" 70\n")


def test_ace_round_trip_without_truth(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    write_poses(path, estimates(), frames(), format="ace")
    assert all(line.split()[8:10] == ["nan", "nan"] for line in path.read_text().splitlines())
    read = read_ace(path)
    assert [e.image for e in read] == NAMES[:3]
    for i, estimate in enumerate(read):
        assert estimate.inliers == 100 + i
        same_view(estimate.world_from_cam, POSES[i], CAMERAS[i % 2])


def test_ace_holds_true_errors(tmp_path: Path) -> None:
    path, known = tmp_path / "poses.txt", frames(truth=True)
    write_poses(path, estimates(), known, format="ace")
    for i, line in enumerate(path.read_text().splitlines()):
        degrees, distance = map(float, line.split()[8:10])
        assert (distance, degrees) == pytest.approx(pose_error(POSES[i], known[i].world_from_cam))
        rotation = rotation_from_quaternion([float(v) for v in line.split()[1:5]])
        np.testing.assert_allclose(rotation, POSES[i][:3, :3].T, atol=1e-12)


def named(names: list[str]) -> tuple[list[Frame], list[Estimate]]:
    made = [Frame(name, Path(name), CAMERAS[0], None) for name in names]
    found = [Estimate(n, True, POSES[i], confidence=0.75) for i, n in enumerate(names)]
    return made, found


def told_poses(path: Path, separator: str | None = None) -> list[list[str]]:
    lines = path.read_text().splitlines()
    return [line.split(separator) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["query/day/a.jpg", "query/night/b.jpg"], ["a.jpg", "b.jpg"]),
        (["x/seq-01/0.png", "x/seq-02/0.png"], ["seq-01/0.png", "seq-02/0.png"]),
        (["a.jpg", "x/a.jpg"], ["a.jpg", "x/a.jpg"]),
    ],
)
def test_hloc_names_are_as_short_as_tells_images_apart(
    tmp_path: Path, names: list[str], short: list[str]
) -> None:
    known, found = named(names)
    write_poses(tmp_path / "p.txt", found, known, format="hloc")
    rows = told_poses(tmp_path / "p.txt")
    assert [row[0] for row in rows] == short
    for row, pose in zip(rows, POSES, strict=False):
        numbers = np.array(row[1:], float)
        assert numbers.shape == (7,)
        cam_from_world = inverted(pose)
        np.testing.assert_allclose(numbers[4:], cam_from_world[:3, 3])
        turned = rotation_from_quaternion(numbers[:4])
        np.testing.assert_allclose(turned, cam_from_world[:3, :3], atol=1e-12)


def test_mapfree_lines_end_in_the_confidence(tmp_path: Path) -> None:
    known, found = named(["s00525/seq1/frame_00000.jpg", "s00525/seq1/frame_00005.jpg"])
    write_poses(tmp_path / "pose_s00525.txt", found, known, format="mapfree")
    rows = told_poses(tmp_path / "pose_s00525.txt")
    assert [row[0] for row in rows] == ["seq1/frame_00000.jpg", "seq1/frame_00005.jpg"]
    assert [row[8] for row in rows] == ["0.75", "0.75"]
    np.testing.assert_allclose(np.array(rows[1][5:8], float), inverted(POSES[1])[:3, 3])


def test_lamar_lines_have_time_and_sensor_and_world_from_camera(tmp_path: Path) -> None:
    known, found = named(["ios_2022/cam_phone/7799482105.jpg", "hl/cam/8.5"])
    write_poses(tmp_path / "p.txt", found[:1], known[:1], format="lamar")
    (row,) = told_poses(tmp_path / "p.txt", ", ")
    assert row[:2] == ["7799482105", "ios_2022/cam_phone"]
    np.testing.assert_allclose(np.array(row[6:], float), POSES[0][:3, 3])
    turned = rotation_from_quaternion(np.array(row[2:6], float))
    np.testing.assert_allclose(turned, POSES[0][:3, :3], atol=1e-12)


@pytest.mark.parametrize("format", POSE_FORMATS)
def test_nothing_localized(tmp_path: Path, format: str) -> None:
    path = tmp_path / "out"
    write_poses(path, [Estimate(NAMES[0], False, POSES[0])], frames()[:1], format=format)
    if format == "json":
        assert read_estimates(path)[0].world_from_cam is None
    elif format == "tum":
        assert read_tum(path)[1].shape == (0, 4, 4)
    elif format in ("ace", "hloc", "mapfree"):
        assert path.read_text() == ""
    elif format == "lamar":
        assert path.read_text().startswith("# ")
    else:
        assert NAMES[0] not in (path / "images.txt").read_text()


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("hloc", "a b.jpg"),
        ("mapfree", "s/a b.jpg"),
        ("lamar", "1.jpg"),
        ("lamar", "a,b/1.jpg"),
        ("ace", "a\n1 0 0 0"),
        ("ace", " a.jpg"),
        ("ace", "\ud800.jpg"),
        ("colmap", "\ud800.jpg"),
    ],
)
def test_names_that_would_break_a_line(tmp_path: Path, format: str, name: str) -> None:
    frame = Frame(name, Path("x"), CAMERAS[0], None)
    with pytest.raises(OutputError, match="does not fit this format"):
        write_poses(tmp_path / "out", [Estimate(name, True, POSES[0])], [frame], format=format)
    assert not (tmp_path / "out").exists()
    write_poses(tmp_path / "j", [Estimate(name, True, POSES[0])], [frame], format="json")
    assert read_estimates(tmp_path / "j")[0].image == name


@pytest.mark.parametrize("name", ["a b.jpg", "a\r.jpg", "a\n1.jpg", "a\udce9.jpg"])
def test_a_model_is_binary_where_text_cannot_hold_a_name(tmp_path: Path, name: str) -> None:
    known = [replace(frame, name=name + frame.name) for frame in frames()]
    given = [replace(e, image=name + e.image) for e in estimates()]
    write_poses(tmp_path / "model", given, known, format="colmap")
    assert not list((tmp_path / "model").glob("*.txt"))
    read = read_posed_images(tmp_path / "model" / "images.bin")
    assert [image.name for image in read] == [name + NAMES[i] for i in range(len(read))]
    cameras = read_cameras(tmp_path / "model" / "cameras.bin")
    assert [cameras[image.camera_id] for image in read] == [f.camera for f in known[: len(read)]]
    for image, pose in zip(read, POSES, strict=False):
        rotation = rotation_from_quaternion(image.quaternion)
        np.testing.assert_allclose(rotation, pose[:3, :3].T, atol=1e-12)


@pytest.mark.parametrize("format", ["json", "ace", "colmap"])
def test_names_that_are_not_utf8_keep_their_bytes(tmp_path: Path, format: str) -> None:
    raw = "视图 表.jpg".encode("gbk")
    frame = Frame(os.fsdecode(raw), Path("x"), CAMERAS[0], None)
    out = tmp_path / "out"
    write_poses(out, [Estimate(frame.name, True, POSES[0])], [frame], format=format)
    if format == "json":
        assert os.fsencode(read_estimates(out)[0].image) == raw
        out.read_text("ascii")
    elif format == "ace":
        assert os.fsencode(read_ace(out)[0].image) == raw
        assert out.read_bytes().startswith(raw + b" ")
    else:
        assert os.fsencode(read_posed_images(out / "images.bin")[0].name) == raw


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="json, tum, colmap, ace"):
        write_poses(tmp_path / "x", [], [], format="yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"estimates": [3]}',
        '{"estimates": [{"image": "a", "localized": true}]}',
        '{"estimates": [{"image": "a", "localized": true, "world_from_cam": [[1, 2], [3, 4]]}]}',
        '{"estimates": [{"image": "a", "localized": 1}]}',
        '{"estimates": [{"image": 3, "localized": false}]}',
        '{"estimates": [{"image": "a", "localized": false, "inliers": 1e999}]}',
        '{"estimates": [{"image": "a", "localized": false, "confidence": NaN}]}',
        '{"estimates": [{"image": "a", "image": "b", "localized": false}]}',
        "[" * 100_000,
    ],
)
def test_foreign_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "poses.json"
    path.write_text(text)
    with pytest.raises(SceneError, match=r"poses\.json: not a JSON file of estimates"):
        read_estimates(path)


@pytest.mark.parametrize("line", ["1 2 3", "0 0 0 0 0 0 0 x", "0 0 0 nan 0 0 0 1", "0 " * 8])
def test_broken_trajectory_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(f"# a comment\n0 0 0 0 0 0 0 1\n{line}\n")
    with pytest.raises(SceneError, match=r"poses\.txt, line 3"):
        read_tum(path)


@pytest.mark.parametrize(
    "line", ["a", "a 1 0 0", "a 0 0 0 0 1 2 3 nan nan 5", "a 1 0 0 0 1 2 inf 0 0 5"]
)
def test_broken_pose_list_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(line + "\n")
    with pytest.raises(SceneError, match=r"poses\.txt, line 1"):
        read_ace(path)


def test_missing_and_binary_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="cannot be read"):
        read_tum(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SceneError, match="not a text file"):
        read_ace(tmp_path / "b.txt")
