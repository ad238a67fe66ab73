"""Inputs after reports of people who use scenes, rebuilt where they are on the machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import pose_error, pose_from, rotation_from_vector
from reloc.images.sources import named_images
from reloc.scenes import open_scene

pytest.importorskip("pycolmap")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cases(tmp_path_factory, shared_scenes) -> Path:
    """All inputs, in a folder each."""
    build = shared_scenes.parent / "cases" / "build.py"
    if not build.is_file():
        pytest.skip("the inputs are not on this machine")
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, build, shared_scenes, folder], check=True, timeout=120)
    return folder


@pytest.mark.parametrize(
    ("name", "mapping", "queries", "notes"),
    [
        ("no-point-lines", 12, 0, []),
        ("one-point-line-missing", 12, 0, []),
        ("no-suffix-upper-case", 12, 0, ["12 frames: the list has another suffix or none"]),
        ("converted-to-png", 12, 0, ["12 frames: the list has another suffix or none"]),
        ("frame-angle", 6, 0, []),
        ("pinhole-with-k1", 6, 0, []),
        ("fisheye-as-number", 6, 0, ["6 frames of transforms.json have p1 and p2"]),
        ("split-with-suffix", 8, 2, []),
        ("scaled-rotation", 12, 0, ["12 frames: the rotation has a scale"]),
        ("absolute-windows", 12, 0, ["12 frames: the list has another path"]),
        ("lfs-pointers", 8, 0, ["52 frames: skipped"]),
        ("two-models", 12, 0, ["read sparse/1 with 12 images"]),
        ("two-models/sparse/0", 6, 0, []),
        ("images-4", 12, 0, ["12 frames: the image is one", "12 frames: the image has another"]),
        ("depth-and-masks", 8, 0, ["8 of 8 frames have a mask"]),
        ("tum-25hz", 40, 0, []),
        ("cambridge-no-header", 12, 0, ["12 frames: the image has another size"]),
    ],
)
def test_all_frames_are_read_and_what_is_odd_is_told_once(cases, name, mapping, queries, notes):
    scene = open_scene(cases / name)
    assert (len(scene.mapping), len(scene.queries)) == (mapping, queries)
    assert len(scene.notes) == len(notes)
    assert all(told.startswith(note) for told, note in zip(scene.notes, notes, strict=True))


@pytest.mark.parametrize("name", ["no-point-lines", "one-point-line-missing", "converted-to-png"])
def test_poses_are_those_of_the_whole_model(cases, name):
    truth = {Path(f.name).stem: f for f in open_scene(cases / "pose-lists").mapping}
    for frame in open_scene(cases / name).mapping:
        same = truth[Path(frame.name).stem]
        np.testing.assert_array_equal(frame.world_from_cam, same.world_from_cam)
        assert frame.camera == same.camera


@pytest.mark.parametrize(
    ("file", "model"),
    [("ace0", "PINHOLE"), ("ace", "SIMPLE_RADIAL"), ("absolute", "PINHOLE")]
    + [("spaces", "SIMPLE_RADIAL")],
)
def test_pose_lists(cases, file, model):
    truth = open_scene(cases / "pose-lists").mapping
    scene = open_scene(cases / "pose-lists", poses=Path(f"{file}.txt"))
    assert len(scene.mapping) == 12
    for frame, same in zip(scene.mapping, truth, strict=True):
        np.testing.assert_allclose(frame.world_from_cam, same.world_from_cam, atol=1e-9)
        assert (frame.camera.model, round(frame.camera.focal, 1)) == (model, 741.5)


def test_lenses(cases):
    assert open_scene(cases / "frame-angle").mapping[0].camera.focal == pytest.approx(940, abs=0.5)
    camera = open_scene(cases / "pinhole-with-k1").mapping[0].camera
    assert (camera.model, camera.distortion[0]) == ("OPENCV", -0.2)
    assert open_scene(cases / "fisheye-as-number").mapping[0].camera.model == "OPENCV_FISHEYE"
    with pytest.raises(SceneError, match="cut it into perspective views"):
        open_scene(cases / "equirectangular")


def test_images_elsewhere_and_smaller(cases):
    root = cases / "hloc-output"
    scene = open_scene(root / "outputs/sfm", images=root / "datasets/place/mapping")
    assert len(scene.mapping) == 12 and scene.notes == ()
    camera = open_scene(cases / "images-4").mapping[0].camera
    assert (camera.width, camera.height) == (120, 213)
    assert camera.focal == pytest.approx(741.5 / 4, rel=1e-3)


def test_depth_of_nerfstudio_is_in_millimetres(cases):
    depths = [frame.depth for frame in open_scene(cases / "depth-and-masks").mapping]
    assert len(depths) == 8 and all(depth.unit == 0.001 for depth in depths)


def test_truth_at_another_rate(cases):
    for frame in open_scene(cases / "tum-25hz").mapping:
        seconds = frame.time - 1000
        expected = pose_from(rotation_from_vector((0, 0, seconds / 2)), (seconds, 0, 0))
        distance, angle = pose_error(frame.world_from_cam, expected)
        # The list has six digits of a second and eight of a quaternion.
        assert distance < 1e-6 and angle < 1e-4


def test_pointers_and_litter(cases):
    (reason,) = {skipped.reason for skipped in open_scene(cases / "lfs-pointers").skipped}
    assert "git lfs pull" in reason
    assert len(list(named_images([cases / "mac-litter"]))) == 3
