"""Polycam: two pairs of images and cameras, of which only one belongs together."""

import shutil

from reloc.scenes import open_scene
from tests.scenes.layouts import phones
from tests.scenes.layouts.walks import hold, write


def test_corrected_images_with_corrected_cameras(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.polycam(walk)))
    assert (scene.layout, scene.unit) == ("polycam", "metre")
    hold(walk, scene, depths=8)
    assert scene.mapping[0].name == "keyframes/corrected_images/98000000000.jpg"
    assert [frame.time for frame in scene.mapping[:2]] == [98000.0, 98000.2]


def test_originals_where_either_of_the_corrected_is_missing(walk, tmp_path):
    root = write(tmp_path, phones.polycam(walk))
    drifted = [0.3, 0.3, 0.3]
    for kind in ("images", "cameras"):
        shutil.copytree(root, tmp_path / f"no-{kind}")
        shutil.rmtree(tmp_path / f"no-{kind}/keyframes/corrected_{kind}")
        scene = open_scene(tmp_path / f"no-{kind}")
        assert {frame.name.split("/")[1] for frame in scene.mapping} == {"images"}
        moved = scene.mapping[0].world_from_cam[:3, 3] - walk.poses[0][:3, 3]
        assert [round(float(value), 6) for value in moved] == drifted


def test_without_correction(walk, tmp_path):
    hold(walk, open_scene(write(tmp_path, phones.polycam(walk, corrected=False))), depths=8)


def test_a_camera_that_is_missing_costs_its_frame(walk, tmp_path):
    root = write(tmp_path, phones.polycam(walk))
    (root / "keyframes/corrected_cameras/98000000000.json").unlink()
    scene = open_scene(root)
    hold(walk, scene, numbers=range(1, 8), depths=7)
    assert scene.skipped[0].reason == "no such file: 98000000000.json"
