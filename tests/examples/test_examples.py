"""Every example runs as its first lines say, and does what they promise."""

import ast
import csv
import json
import shutil

import cv2
import numpy as np
import pytest

from reloc import open_scene
from reloc.geometry import pose_error, quaternion_from_rotation
from reloc.images.files import image_size, read_image
from reloc.localize.pose_files import read_tum
from reloc.maps import SceneMap
from reloc.scenes.colmap_model import read_points

from .conftest import EXAMPLES

NEAR = 0.2  # metres; the place is 3 m wide and the map is of the very frames that are looked for


@pytest.fixture
def photos(scene):
    return scene.mapping[0].image.parent


def near(pose, frame):
    return pose_error(pose, frame.world_from_cam)[0] < NEAR


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")
    assert f"python examples/{path.name} " in (ast.get_docstring(ast.parse(text)) or "")
    assert len(text.splitlines()) <= 55
    assert path.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_a_folder_is_localized(run, map_file, photos, scene, tmp_path):
    printed = run("localize_folder", map_file, photos, tmp_path / "poses.json")
    poses = json.loads((tmp_path / "poses.json").read_text())
    assert printed.splitlines()[-1] == "7 of 7 photos localized"
    assert all(near(np.array(poses[frame.image.name]), frame) for frame in scene.mapping)


def test_a_video_is_localized(run, map_file, scene, tmp_path):
    size = image_size(scene.mapping[0].image)
    video = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, size)
    for frame in scene.mapping[:4]:
        video.write(read_image(frame.image)[:, :, ::-1])
    video.release()
    lines = run("localize_video", map_file, tmp_path / "walk.avi", 2).splitlines()
    assert [line[:10].strip() for line in lines] == ["0.00 s", "0.20 s"]
    first = np.array(lines[0][10:].split()[:3], float)
    np.testing.assert_allclose(first, scene.mapping[0].world_from_cam[:3, 3], atol=NEAR)


@pytest.mark.slow
def test_frames_that_arrive_one_by_one_are_written_at_once(run, map_file, photos, scene, tmp_path):
    focal = scene.mapping[0].camera.fx
    run("robotics_loop", map_file, photos, focal, tmp_path / "trajectory.txt")
    times, poses = read_tum(tmp_path / "trajectory.txt")
    np.testing.assert_allclose(times, np.arange(7) / 30, atol=1e-6)
    assert all(near(*pair) for pair in zip(poses, scene.mapping, strict=True))


@pytest.mark.slow
def test_a_map_is_made_with_progress(run, scene, tmp_path):
    printed = run("map_with_progress", scene.root, tmp_path / "made.safetensors", 5)
    assert "\rtraining: " in printed
    assert len(SceneMap.load(tmp_path / "made.safetensors").cameras) == 7


@pytest.mark.slow
def test_a_map_is_made_with_an_own_backbone(run, scene, tmp_path):
    run("own_backbone", scene.root, tmp_path / "own.safetensors", 5)
    assert SceneMap.load(tmp_path / "own.safetensors").backbone == "patches-1"


def test_an_own_layout_is_read(run, scene, tmp_path):
    folder = tmp_path / "recording"
    folder.mkdir()
    with (folder / "poses.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "fx", *"xyz", "qw", "qx", "qy", "qz"])
        for frame in scene.mapping:
            shutil.copy(frame.image, folder)
            turn = quaternion_from_rotation(frame.world_from_cam[:3, :3])
            position = frame.world_from_cam[:3, 3]
            table.writerow([frame.image.name, frame.camera.fx, *position, *turn])
    run("own_reader", folder, tmp_path / "ace")
    read = open_scene(tmp_path / "ace")
    assert len(read.mapping) == 7
    for ours, theirs in zip(read.mapping, scene.mapping, strict=True):
        np.testing.assert_allclose(ours.world_from_cam, theirs.world_from_cam, atol=1e-6)


def test_the_place_of_a_photo_is_found_among_several(run, map_file, scene, tmp_path):
    photo = scene.mapping[2].image
    assert f"{photo} is in kitchen, at" in run("many_places", tmp_path / "maps", photo, map_file)


@pytest.mark.slow
def test_depth_is_taken_from_beside_the_photos(run, map_file, scene, tmp_path):
    for frame in scene.mapping[:3]:
        shutil.copy(frame.image, tmp_path)
        shutil.copy(frame.depth.path, tmp_path / f"{frame.image.stem}.depth.png")
    lines = run("queries_with_depth", map_file, tmp_path).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f.image.name for f in scene.mapping[:3]]
    told = [line.split("deviation ")[1].split(", with depth ") for line in lines]
    assert all(float(plain) > 0 and float(measured) > 0 for plain, measured in told)
    # Four digits of one of them may be the same by chance.
    assert any(plain != measured for plain, measured in told)


@pytest.mark.slow
def test_errors_are_measured_and_plotted(run, map_file, scene, tmp_path):
    printed = run("evaluate_and_plot", map_file, scene.root, tmp_path / "errors.png")
    assert "recall {" in printed
    assert read_image(tmp_path / "errors.png").shape == (300, 800, 3)


@pytest.mark.slow
def test_photos_become_a_colmap_model(run, map_file, photos, scene, tmp_path):
    printed = run("export_colmap", map_file, photos, tmp_path / "model")
    assert "7 of 7 photos" in printed
    text = (tmp_path / "model" / "images.txt").read_text()
    assert all(frame.image.name in text for frame in scene.mapping)
    assert len(read_points(tmp_path / "model").xyz) == 0


def test_poses_follow_other_conventions(run, map_file, scene):
    frame = scene.mapping[1]
    opencv, opengl, ros = run("pose_conventions", map_file, frame.image).splitlines()
    assert near(np.linalg.inv(json.loads(opencv.split("): ")[1])), frame)
    looks_along = -np.array(json.loads(opengl.split("): ")[1]))[:3, 2]
    np.testing.assert_allclose(looks_along, frame.world_from_cam[:3, 2], atol=0.1)
    body = ast.literal_eval(ros.split("): ")[1].replace("np.float64", ""))
    x, y, z, w = body["xyzw"]
    ahead = (1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w))
    np.testing.assert_allclose(ahead, frame.world_from_cam[:3, 2], atol=0.1)
