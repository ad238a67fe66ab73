"""Small real captures, where they are on the machine."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import inverted, transformed
from reloc.scenes import open_scene


@pytest.fixture(scope="module")
def samples(shared_scenes) -> Path:
    folder = shared_scenes.parent / "samples"
    if not folder.is_dir():
        pytest.skip("the samples are not on this machine")
    return folder


@pytest.mark.parametrize(
    ("name", "layout", "frames"),
    [
        ("maupertuis/kapture", "kapture", 4),
        ("maupertuis/colmap", "colmap", 4),
        ("berlin/kapture", "kapture", 3),
        ("berlin/opensfm", "opensfm", 3),
        ("cour_carree_markers/kapture_images", "kapture", 5),
        ("t265/ros_kapture", "kapture", 6),
        ("7scenes/microsoft/stairs", "7scenes", 6),
    ],
)
def test_all_frames_are_read(samples, name, layout, frames):
    scene = open_scene(samples / name)
    assert (scene.layout, len(scene.mapping), scene.skipped) == (layout, frames, ())


def test_kapture_and_colmap_of_the_same_photos(samples):
    """Poses, cameras and a point of the model are the same by either way."""
    by_kapture = {Path(f.name).name: f for f in open_scene(samples / "maupertuis/kapture").mapping}
    for frame in open_scene(samples / "maupertuis/colmap").mapping:
        same = by_kapture[Path(frame.name).name]
        np.testing.assert_allclose(same.world_from_cam, frame.world_from_cam, atol=1e-9)
        assert (same.camera.width, same.camera.focal) == (frame.camera.width, frame.camera.focal)


def test_kapture_and_opensfm_of_the_same_photos(samples):
    by_kapture = {Path(f.name).name: f for f in open_scene(samples / "berlin/kapture").mapping}
    for frame in open_scene(samples / "berlin/opensfm").mapping:
        same = by_kapture[Path(frame.name).name]
        np.testing.assert_allclose(same.world_from_cam, frame.world_from_cam, atol=1e-9)
        np.testing.assert_allclose(same.camera.params, frame.camera.params, rtol=1e-6)


def test_points_of_opensfm_are_where_images_see_them(samples):
    import json

    (part,) = json.loads((samples / "berlin/opensfm/reconstruction.json").read_text())
    tracks = [
        line.split("\t")
        for line in (samples / "berlin/opensfm/tracks.csv").read_text().splitlines()
        if line.count("\t") > 4
    ]
    frames = {Path(f.name).name: f for f in open_scene(samples / "berlin/opensfm").mapping}
    errors = []
    for image, point, _, x, y, *_ in tracks:
        if point in part["points"] and image in frames:
            frame = frames[image]
            side = max(frame.camera.width, frame.camera.height)
            seen = np.array([float(x), float(y)]) * side
            seen += (frame.camera.width / 2, frame.camera.height / 2)
            world = np.array([part["points"][point]["coordinates"]])
            (pixel,) = frame.camera.project(transformed(inverted(frame.world_from_cam), world))
            errors.append(np.linalg.norm(pixel - seen))
    assert len(errors) > 100 and np.median(errors) < 2


def test_a_rig_and_its_cameras_alone(samples, tmp_path):
    """The poses of two cameras follow from that of their rig."""
    shutil.copytree(samples / "t265/kapture", tmp_path / "alone")
    images = samples / "t265/ros_kapture/sensors/records_data"
    for ours, theirs in (("leftraw", "cam001"), ("rightraw", "cam002")):
        shutil.copytree(images / theirs, tmp_path / "alone/sensors/records_data" / ours)
    alone = open_scene(tmp_path / "alone").mapping
    rig = open_scene(samples / "t265/ros_kapture").mapping
    for a, b in zip(
        sorted(alone, key=lambda f: f.name.replace("leftraw", "cam001")),
        sorted(rig, key=lambda f: f.name),
        strict=True,
    ):
        np.testing.assert_allclose(a.world_from_cam, b.world_from_cam, atol=1e-9)


def test_images_of_another_folder(samples):
    with pytest.raises(SceneError, match="say where the images are with --images DIR"):
        open_scene(samples / "t265/kapture")
